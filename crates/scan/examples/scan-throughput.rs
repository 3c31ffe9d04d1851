//! Megabytes a second: of generated bundle text, or of the paths given.
//!
//! `cargo xtask bench scan [PATH…]` builds this for release and runs it.
#![expect(clippy::print_stdout, reason = "a command line tool")]

use std::{error::Error, path::Path, time::Instant};

use hallpass_scan::{Detector, FileOptions, Scanner};

/// Bytes of each generated text.
const LENGTH: usize = 64 * 1024 * 1024;
/// Rounds; the fastest counts, as the others were disturbed more.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let (options, paths): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    if paths.is_empty() {
        return generated();
    }
    let scanner = Scanner::new(Detector::new()?);
    let start = Instant::now();
    for path in &paths {
        scanner.path(
            Path::new(path),
            FileOptions {
                respect_ignore_files: false,
            },
        )?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let outcome = scanner.finish();
    let megabytes = outcome.bytes as f64 / 1e6;
    for finding in &outcome.findings {
        let at = finding.position;
        println!(
            "{} {}:{}:{}",
            finding.rule.id(),
            finding.path,
            at.line,
            at.column
        );
    }
    for note in &outcome.notes {
        println!("not looked at: {}: {}", note.path, note.reason);
    }
    let (finds, texts) = (outcome.findings.len(), outcome.texts);
    let rate = megabytes / seconds;
    println!("{finds} finds in {texts} texts, {megabytes:.1} MB, {seconds:.2} s, {rate:.0} MB/s");
    if finds > 0 && options.iter().any(|option| option == "--must-be-clean") {
        return Err("there are finds".into());
    }
    Ok(())
}

/// One thread, three kinds of text.
fn generated() -> Result<(), Box<dyn Error>> {
    let detector = Detector::new()?;
    let mut chance = 42_u64;
    let texts: [(&str, Piece); 3] = [
        ("minified program", program),
        ("base64", base64),
        ("program that joins strings", joins),
    ];
    for (name, piece) in texts {
        let mut text = String::with_capacity(LENGTH + 64);
        while text.len() < LENGTH {
            piece(&mut text, &mut chance);
        }
        let mut fastest = f64::MAX;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let found = detector.detect(text.as_bytes()).len();
            fastest = fastest.min(start.elapsed().as_secs_f64());
            if found > 0 {
                return Err(format!("{found} finds in {name}").into());
            }
        }
        println!(
            "{name}: {:.0} MB/s on one thread",
            text.len() as f64 / 1e6 / fastest
        );
    }
    Ok(())
}

type Piece = fn(&mut String, &mut u64);

fn next(chance: &mut u64) -> usize {
    *chance = chance
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*chance >> 33) as usize
}

const WORDS: [&str; 24] = [
    "function(e,t){",
    "return ",
    "var n=",
    "e.exports=",
    "this._",
    "i.default",
    "Object.",
    "defineProperty",
    "(0,r.jsx)(",
    "{className:\"",
    "week_day",
    "php_version",
    "seek_to",
    "task-list",
    "\",children:",
    "});",
    "null==",
    "?void 0:",
    "e[t]+1,",
    "async()=>{",
    "await ",
    "\\u0041",
    "0===",
    "Symbol.iterator",
];

fn program(text: &mut String, chance: &mut u64) {
    text.push_str(WORDS[next(chance) % WORDS.len()]);
}

fn base64(text: &mut String, chance: &mut u64) {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text.push(char::from(DIGITS[next(chance) % 64]));
}

fn joins(text: &mut String, chance: &mut u64) {
    let word = WORDS[next(chance) % 8].replace('"', "");
    text.push_str(if next(chance).is_multiple_of(3) {
        "\"+\""
    } else {
        "\"+e+\""
    });
    text.push_str(&word);
}
