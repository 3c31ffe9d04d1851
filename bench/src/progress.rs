//! What is going on, for whoever waits.
use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};

const WIDTH: usize = 24;

/// Shows what is going on, on one line where there is a terminal.
pub(crate) fn progress(text: &str) {
    let mut out = std::io::stderr();
    // Nothing is lost with a progress line.
    let _ = if out.is_terminal() {
        write!(out, "\r\x1b[K{text}").and_then(|()| out.flush())
    } else if text.is_empty() {
        Ok(())
    } else {
        writeln!(out, "{text}")
    };
}

/// A bar for a share from 0 to 1.
pub(crate) fn bar(done: f64) -> String {
    let full = (done.clamp(0.0, 1.0) * WIDTH as f64) as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(WIDTH - full))
}

/// A folder of a run, on a disk as a rule; `/tmp` often is not.
pub(crate) fn run_folder() -> Result<tempfile::TempDir> {
    let executable = std::env::current_exe()?;
    let parent = executable.parent().context("no folder to work in")?;
    Ok(tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(parent)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_it_is_done() {
        assert_eq!(bar(0.0), format!("[{}]", ".".repeat(24)));
        assert_eq!(bar(0.5).matches('#').count(), 12);
        assert_eq!(bar(7.0), format!("[{}]", "#".repeat(24)));
    }
}
