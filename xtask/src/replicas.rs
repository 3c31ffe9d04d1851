//! `cargo xtask replicas`: three replicas, PostgreSQL, Redis and nginx on
//! loopback, broken in turn under load.
mod table;

use std::{
    io::{BufRead, BufReader, IsTerminal, Write},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    prepare,
    run::{cargo, root},
};

/// What is run where nothing has to break for long.
const AGREE: &str = "replicas::agree::";
/// What breaks everything in turn.
const STORM: &str = "replicas::storm::heavy_what_was_told_holds_whatever_breaks";
/// Characters of the bar.
const WIDTH: usize = 30;

/// Arguments of `cargo xtask replicas`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Break links, stores and replicas in turn under load
    #[arg(long)]
    chaos: bool,
    /// For how long, in minutes
    #[arg(long, default_value_t = 10.0, requires = "chaos")]
    minutes: f64,
    /// Print what was found as JSON
    #[arg(long, requires = "chaos")]
    json: bool,
}

/// Runs the arrangement and holds what it told together.
pub(crate) fn replicas(args: &Args) -> Result<()> {
    prepare::for_replicas()?;
    if args.chaos {
        return chaos(args);
    }
    let mut test = cargo(&["test", "--locked", "--package", "hallpass", "--test", "it"]);
    test.current_dir(root()).args(["--", AGREE]);
    let status = test.status()?;
    ensure!(status.success(), "the replicas did not hold: {status}");
    Ok(())
}

fn chaos(args: &Args) -> Result<()> {
    let mut test = cargo(&["test", "--locked", "--package", "hallpass", "--test", "it"]);
    test.args(["--", "--exact", STORM, "--nocapture"])
        .env("HALLPASS_MINUTES", args.minutes.to_string())
        .current_dir(root())
        .stdout(Stdio::piped());
    let mut child = test.spawn().context("cannot start cargo test")?;
    let lines = child.stdout.take().context("the test says nothing")?;
    let (mut report, mut bar) = (None, Bar::new());
    for line in BufReader::new(lines).lines() {
        match Said::read(&line?) {
            Said::Fault(fault) => bar.show(&fault),
            Said::Report(found) => report = Some(found),
            Said::Other(line) => bar.say(&line, args.json),
        }
    }
    bar.end();
    let status = child.wait()?;
    if let Some(report) = &report {
        if args.json {
            println!("{report:#}");
        } else {
            println!("{}", table::table(report));
        }
    }
    ensure!(status.success(), "the replicas did not hold: {status}");
    ensure!(report.is_some(), "the test ended without a report");
    Ok(())
}

/// A line of the test.
#[derive(Debug, PartialEq)]
enum Said {
    /// Something was broken and is whole again.
    Fault(Value),
    /// What the run found out.
    Report(Value),
    Other(String),
}

impl Said {
    fn read(line: &str) -> Self {
        // The test runner may have begun the line.
        let after = |mark: &str| {
            let (_, rest) = line.split_once(mark)?;
            serde_json::from_str(rest).ok()
        };
        if let Some(fault) = after("storm-fault ") {
            return Self::Fault(fault);
        }
        if let Some(report) = after("storm-report ") {
            return Self::Report(report);
        }
        Self::Other(line.to_owned())
    }
}

/// How far the run is, on one line of standard error that is written over.
struct Bar {
    terminal: bool,
    shown: bool,
}

impl Bar {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            shown: false,
        }
    }

    fn show(&mut self, fault: &Value) {
        let text = bar(fault);
        if self.terminal {
            eprint!("\r\x1b[K{text}");
            let _ = std::io::stderr().flush();
            self.shown = true;
        } else {
            eprintln!("{text}");
        }
    }

    /// What the runner says beside; standard output is the report's with JSON.
    fn say(&mut self, line: &str, aside: bool) {
        self.end();
        if aside {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprintln!();
        }
    }
}

fn bar(fault: &Value) -> String {
    let number = |name: &str| fault[name].as_f64().unwrap_or_default();
    let (seconds, of) = (number("seconds"), number("of").max(1.0));
    let full = (WIDTH as f64 * (seconds / of).min(1.0)) as usize;
    format!(
        "[{}{}] {:.0} of {of:.0} s, {} faults, {} secrets; last: {}",
        "#".repeat(full),
        "-".repeat(WIDTH - full),
        seconds.min(of),
        fault["number"],
        fault["secrets"],
        fault["fault"].as_str().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_test_says_is_told_apart() {
        let fault = r#"test replicas::storm ... storm-fault {"number":1}"#;
        assert_eq!(Said::read(fault), Said::Fault(json!({ "number": 1 })));
        let report = r#"storm-report {"faults":3}"#;
        assert_eq!(Said::read(report), Said::Report(json!({ "faults": 3 })));
        let other = "storm-report cut off";
        assert_eq!(Said::read(other), Said::Other(other.to_owned()));
    }

    #[test]
    fn the_bar_fills_and_names_the_last_fault() {
        let fault = json!({ "number": 7, "fault": "Redis killed", "seconds": 30.0, "of": 60.0, "secrets": 99 });
        let text = bar(&fault);
        assert!(text.contains(&"#".repeat(WIDTH / 2)), "{text}");
        assert!(
            text.ends_with("30 of 60 s, 7 faults, 99 secrets; last: Redis killed"),
            "{text}"
        );
        assert!(bar(&json!({})).contains("0 of 1 s"));
    }
}
