//! `cargo xtask crash`: the server killed again and again under load.
use std::{
    io::{BufRead, BufReader, IsTerminal, Write},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::run::{cargo, root};

const TEST: &str = "life::crash::heavy_what_was_answered_holds_after_every_crash";
/// Characters of the bar.
const WIDTH: usize = 40;

/// Arguments of `cargo xtask crash`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often the server is killed
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
}

/// Runs the crash test for many rounds and shows how far it is.
pub(crate) fn crash(args: &Args) -> Result<()> {
    let mut test = cargo(&["test", "--locked", "--package", "hallpass", "--test", "it"]);
    test.args(["--", "--exact", TEST, "--nocapture"])
        .env("HALLPASS_ROUNDS", args.rounds.to_string())
        .current_dir(root())
        .stdout(Stdio::piped());
    let mut child = test.spawn().context("cannot start cargo test")?;
    let lines = child.stdout.take().context("the test says nothing")?;
    let mut bar = Bar::new(args.rounds);
    for line in BufReader::new(lines).lines() {
        let line = line?;
        match round(&line) {
            Some(round) => bar.show(round),
            None => bar.say(&line),
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "the crash test failed: {status}");
    Ok(())
}

/// The number in a line of the test such as `round 17`.
fn round(line: &str) -> Option<usize> {
    line.strip_prefix("round ")?.parse().ok()
}

/// How far it is, on one line that is written over.
struct Bar {
    rounds: usize,
    started: Instant,
    terminal: bool,
    shown: bool,
}

impl Bar {
    fn new(rounds: usize) -> Self {
        Self {
            rounds,
            started: Instant::now(),
            terminal: std::io::stdout().is_terminal(),
            shown: false,
        }
    }

    fn show(&mut self, done: usize) {
        let text = line(done, self.rounds, self.started.elapsed());
        if self.terminal {
            print!("\r{text}");
            let _ = std::io::stdout().flush();
            self.shown = true;
        } else if done.is_multiple_of(50) {
            println!("{text}");
        }
    }

    fn say(&mut self, line: &str) {
        if std::mem::take(&mut self.shown) {
            println!();
        }
        println!("{line}");
    }
}

fn line(done: usize, rounds: usize, elapsed: Duration) -> String {
    let (done, rounds) = (done.min(rounds), rounds.max(1));
    let full = WIDTH * done / rounds;
    let left = elapsed.mul_f64((rounds - done) as f64 / done.max(1) as f64);
    format!(
        "[{}{}] {done}/{rounds} kills, {} s left ",
        "#".repeat(full),
        "-".repeat(WIDTH - full),
        left.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_and_tells_what_is_left() {
        let half = line(50, 100, Duration::from_secs(30));
        assert!(half.contains(&format!("[{}{}]", "#".repeat(20), "-".repeat(20))));
        assert!(half.contains("50/100 kills, 30 s left"));
        assert!(line(100, 100, Duration::from_secs(60)).contains(" 0 s left"));
        assert!(line(0, 0, Duration::ZERO).contains("0/1"));
    }

    #[test]
    fn a_round_is_told_from_other_lines() {
        assert_eq!(round("round 17"), Some(17));
        assert_eq!(round("running 1 test"), None);
    }
}
