//! Figures on `docs/performance.md`, between the marks of their command.
use std::{fs, process::Command};

use anyhow::{Context, Result};

use crate::run::{output, root};

const PAGE: &str = "docs/performance.md";

/// Writes what a command measured on the page, and shows it.
pub(super) fn keep(command: &str, measured: &str) -> Result<()> {
    let block = format!("{}\n\n{}", setting()?, measured.trim());
    println!("{block}");
    let path = root().join(PAGE);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    fs::write(&path, placed(&text, command, &block)).with_context(|| format!("cannot write {PAGE}"))
}

/// The block put between its marks, or at the end of the page.
fn placed(text: &str, command: &str, block: &str) -> String {
    let begin = format!("<!-- begin: written by `{command}` -->");
    let end = format!("<!-- end: written by `{command}` -->");
    let block = format!("{begin}\n\n{block}\n\n{end}");
    let around = text
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match around {
        Some((before, after)) => format!("{before}{block}{after}"),
        None => format!("{}\n\n{block}\n", text.trim_end()),
    }
}

/// When and on what it was measured.
fn setting() -> Result<String> {
    let said = |command: &mut Command| -> Result<String> {
        Ok(String::from_utf8(output(command)?)?.trim().to_owned())
    };
    let date = said(Command::new("date").args(["-u", "+%F"]))?;
    let kernel = said(Command::new("uname").arg("-r"))?;
    let cores = said(&mut Command::new("nproc"))?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("").to_owned();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    Ok(format!(
        "{date}, {model} ({cores} cores), Linux {kernel}; load {load} at the end, of which this run is part."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_takes_the_place_of_the_one_before() {
        let first = placed("# Page\n", "cargo a", "one");
        assert!(first.starts_with("# Page\n\n<!-- begin") && first.ends_with("-->\n"));
        let other = placed(&first, "cargo b", "two");
        let again = placed(&other, "cargo a", "three");
        assert!(again.contains("three") && again.contains("two") && !again.contains("one"));
        assert_eq!(again.matches("begin: written").count(), 2);
    }
}
