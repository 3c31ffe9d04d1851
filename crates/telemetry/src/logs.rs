//! Log lines: one event a line, to standard error, off the request's path.

use std::io::{self, IsTerminal};

use jiff::Timestamp;
use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    json_lines::JsonLines,
    line_writer::{LineWriter, Worker},
};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// The least level, or a filter such as `info,hallpass_audit=debug`.
    pub filter: String,
    /// Tells the time of a line of JSON.
    pub now: fn() -> Timestamp,
}

/// The log can't be started.
#[derive(Debug, thiserror::Error)]
pub enum LogSetupError {
    /// The filter can't be read.
    #[error("the log filter is not valid: {0}. Write a level such as \"info\".")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A log was started before.
    #[error("the log was started twice")]
    Twice,
    /// The system gives no thread to write it.
    #[error("the log's thread can't be started: {0}")]
    Thread(#[from] io::Error),
}

/// Writes what is still queued when it is dropped.
#[must_use = "dropping the guard ends the log"]
pub struct LogGuard {
    _worker: Worker,
}

/// Starts the process's log.
///
/// # Errors
///
/// [`LogSetupError`] when the filter can't be read, a log was started before,
/// or no thread can be had.
pub fn start(settings: &LogSettings) -> Result<LogGuard, LogSetupError> {
    let filter = EnvFilter::builder().parse(&settings.filter)?;
    let (writer, worker) = LineWriter::start(io::stderr())?;
    let builder = fmt::Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false);
    let started = match settings.format {
        LogFormat::Json => {
            let lines = JsonLines { now: settings.now };
            let subscriber = builder.event_format(lines).finish();
            tracing::subscriber::set_global_default(subscriber)
        }
        LogFormat::Text => {
            let coloured = io::stderr().is_terminal();
            let subscriber = builder.compact().with_ansi(coloured).finish();
            tracing::subscriber::set_global_default(subscriber)
        }
    };
    started.map_err(|_| LogSetupError::Twice)?;
    Ok(LogGuard { _worker: worker })
}
