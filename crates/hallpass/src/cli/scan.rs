//! `hallpass scan`: leaked keys in files, history and deployed pages.

mod fingerprint;
mod progress;

use std::{
    io::{IsTerminal, stdout},
    path::{Path, PathBuf},
};

use hallpass_scan::{
    Baseline, Detector, FileOptions, KnownKeys, Outcome, PageOptions, Scanner, history, page,
    report,
};
use reqwest::Url;

use self::progress::Line;
use super::{Stop, block_on, say};

/// Find leaked keys in files, git history and deployed pages
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  hallpass scan dist                                what a build would publish
  hallpass scan --history .                         a checkout and everything its repository ever held
  hallpass scan https://app.example.com             what a deployed page serves
  hallpass scan --format sarif . > scan.sarif       for a code host
  hallpass scan --write-baseline known.json .       accept what is there
  hallpass scan --baseline known.json .             tell only what is new
  printenv OPENAI_API_KEY | hallpass scan fingerprint --name main --file own.json
  hallpass scan --fingerprints own.json dist        is it our own key?

Secrets are never printed: prefix, last four characters, fingerprint.

Exit codes: 0 nothing found, 1 a leak was found, 2 bad use or it can't be scanned."
)]
pub(crate) struct Scan {
    #[command(subcommand)]
    helper: Option<Helper>,
    /// Files, folders, archives, or addresses of pages
    #[arg(required = true, value_name = "PATH or URL")]
    targets: Vec<String>,
    /// Search every object of the paths' git repositories too
    #[arg(long)]
    history: bool,
    /// Search what .gitignore and .ignore leave out too
    #[arg(long)]
    no_ignore: bool,
    /// How to tell the outcome
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Leave out the finds that this file accepts
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write a file that accepts everything found, and end with 0
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// Find these keys too, whatever their form; made by `scan fingerprint`
    #[arg(long, value_name = "FILE")]
    fingerprints: Option<PathBuf>,
    /// Ask loopback and private addresses, and plain HTTP, too
    #[arg(long)]
    allow_private: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Helper {
    Fingerprint(fingerprint::Fingerprint),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
}

impl Scan {
    pub(crate) fn run(self) -> Result<(), Stop> {
        if let Some(Helper::Fingerprint(command)) = &self.helper {
            return command.run();
        }
        // Read first: a scan may take long, and a wrong file is known at once.
        let baseline = self.baseline.as_deref().map(read_baseline).transpose()?;
        let mut outcome = self.scan()?;
        if let Some(path) = &self.write_baseline {
            std::fs::write(path, Baseline::of(&outcome.findings)?)?;
            self.tell(&outcome);
            return Ok(());
        }
        if let Some(baseline) = baseline {
            outcome
                .findings
                .retain(|finding| !baseline.accepts(finding));
        }
        self.tell(&outcome);
        if outcome.findings.is_empty() {
            return Ok(());
        }
        // The report has said it all.
        Err(Stop::no(""))
    }

    fn scan(&self) -> Result<Outcome, Stop> {
        let mut detector = Detector::new()?;
        if let Some(path) = &self.fingerprints {
            detector = detector.with_known_keys(KnownKeys::parse(&read(path)?)?);
        }
        let scanner = Scanner::new(detector);
        let line = Line::on_terminal(scanner.progress());
        for target in &self.targets {
            self.target(&scanner, target)
                .map_err(|stop| Stop::usage(format!("{target}: {stop}")))?;
        }
        drop(line);
        Ok(scanner.finish())
    }

    fn target(&self, scanner: &Scanner, target: &str) -> Result<(), Stop> {
        if let Some(url) = address(target) {
            let allow_private = self.allow_private;
            let options = PageOptions {
                allow_private,
                ..PageOptions::default()
            };
            return block_on(async { Ok(page(scanner, &url, options).await?) });
        }
        let path = Path::new(target);
        let respect_ignore_files = !self.no_ignore;
        scanner.path(
            path,
            FileOptions {
                respect_ignore_files,
            },
        )?;
        if self.history {
            history(scanner, path)?;
        }
        Ok(())
    }

    fn tell(&self, outcome: &Outcome) {
        match self.format {
            Format::Text => {
                let colour = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                say(report::text(outcome, colour).trim_end());
            }
            Format::Json => say(format_args!("{:#}", report::json(outcome))),
            Format::Sarif => say(format_args!("{:#}", report::sarif(outcome))),
        }
    }
}

/// A target that is an address and no path.
fn address(target: &str) -> Option<Url> {
    let url = Url::parse(target).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

fn read_baseline(path: &Path) -> Result<Baseline, Stop> {
    Baseline::parse(&read(path)?).map_err(|error| in_file(path, &error))
}

fn read(path: &Path) -> Result<String, Stop> {
    std::fs::read_to_string(path).map_err(|error| in_file(path, &error))
}

fn in_file(path: &Path, error: &dyn std::error::Error) -> Stop {
    Stop::usage(format!("{}: {error}", path.display()))
}
