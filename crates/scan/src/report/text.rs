//! For people.

use std::fmt::{self, Write};

use crate::{finding::Finding, scanner::Outcome};

/// An outcome as lines, in colour where asked.
#[must_use]
pub fn text(outcome: &Outcome, colour: bool) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_outcome(&mut out, outcome, Paint(colour));
    out
}

fn write_outcome(out: &mut String, outcome: &Outcome, paint: Paint) -> fmt::Result {
    for finding in &outcome.findings {
        write_finding(out, finding, paint)?;
    }
    for note in &outcome.notes {
        let (path, reason) = (plain(&note.path), plain(&note.reason));
        writeln!(out, "{} {path}: {reason}", paint.yellow("not looked at:"))?;
    }
    let found = match outcome.findings.len() {
        0 => paint.green("no leak found"),
        1 => paint.red("1 leak found"),
        many => paint.red(&format!("{many} leaks found")),
    };
    let Outcome { texts, bytes, .. } = outcome;
    let megabytes = *bytes as f64 / 1e6;
    writeln!(out, "{found} in {texts} texts, {megabytes:.1} MB")
}

fn write_finding(out: &mut String, finding: &Finding, paint: Paint) -> fmt::Result {
    let at = finding.position;
    let title = finding.rule.title();
    let title = if finding.rule.is_critical() {
        paint.red(title)
    } else {
        paint.yellow(title)
    };
    writeln!(out, "{title}  {}", paint.bold(&plain(&finding.redacted)))?;
    writeln!(
        out,
        "  at           {}:{}:{}",
        plain(&finding.path),
        at.line,
        at.column
    )?;
    if let Some(original) = &finding.original {
        let at = original.position;
        writeln!(
            out,
            "  written in   {}:{}:{}",
            plain(&original.path),
            at.line,
            at.column
        )?;
    }
    if let Some(git) = &finding.git {
        let commit = git.commit.as_deref().unwrap_or("no commit reaches it");
        writeln!(out, "  git          object {}, commit {commit}", git.object)?;
    }
    if let Some(name) = &finding.known_as {
        writeln!(out, "  it is        {}", plain(name))?;
    }
    if !finding.encodings.is_empty() {
        let names: Vec<&str> = finding
            .encodings
            .iter()
            .map(|encoding| encoding.name())
            .collect();
        writeln!(out, "  hidden by    {}", names.join(", within it "))?;
    }
    writeln!(out, "  fingerprint  {}", finding.fingerprint)?;
    writeln!(out, "  {}\n", finding.rule.remedy())
}

/// Names come from files: what would steer a terminal is written out.
fn plain(text: &str) -> String {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
