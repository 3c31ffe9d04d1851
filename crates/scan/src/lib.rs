//! Finds leaked OpenAI and Hallpass credentials.
//!
//! A [`Detector`] finds them in a text, however they are written there; a
//! [`Scanner`] brings texts to it from files, archives, source maps, the
//! history of git repositories and deployed pages. What is found is told
//! without ever showing the secret.

mod baseline;
mod charset;
mod checksum;
mod decode;
mod detector;
mod document;
mod finding;
mod fold;
mod forms;
mod known;
mod names;
mod needles;
mod page;
mod position;
mod randomness;
pub mod report;
mod rule;
mod scanner;
mod source;
mod source_map;

pub use self::{
    baseline::{Baseline, BaselineError},
    decode::Encoding,
    detector::{Detector, Leak},
    finding::{Finding, GitObject, Original},
    known::{KnownKeys, KnownKeysError},
    page::{PageError, PageOptions, page},
    position::Position,
    rule::Rule,
    scanner::{Note, Outcome, Progress, Scanner},
    source::{FileOptions, GitError, history},
};
