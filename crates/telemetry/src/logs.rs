//! Log lines: one event a line, to standard error, off the request's path.

use std::io::{BufWriter, IsTerminal};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt};

use crate::json_lines::JsonLines;

/// Lines that may wait to be written; past that, new ones are dropped rather
/// than let a stuck reader hold requests up.
const QUEUED_LINES: usize = 65_536;

/// Bytes written at once where lines come fast; a pause writes what is there.
const LINE_BUFFER: usize = 64 * 1024;

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
}

/// Writes what is still queued when it is dropped.
#[must_use = "dropping the guard ends the log"]
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Starts the process's log.
///
/// # Errors
///
/// [`LogSetupError`] when the filter can't be read or a log was started before.
pub fn start(settings: &LogSettings) -> Result<LogGuard, LogSetupError> {
    let filter = EnvFilter::builder().parse(&settings.filter)?;
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .thread_name("hallpass-log")
        .finish(BufWriter::with_capacity(LINE_BUFFER, std::io::stderr()));
    let builder = fmt::Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false);
    let started = match settings.format {
        LogFormat::Json => {
            let subscriber = builder.event_format(JsonLines).finish();
            tracing::subscriber::set_global_default(subscriber)
        }
        LogFormat::Text => {
            let coloured = std::io::stderr().is_terminal();
            let subscriber = builder.compact().with_ansi(coloured).finish();
            tracing::subscriber::set_global_default(subscriber)
        }
    };
    started.map_err(|_| LogSetupError::Twice)?;
    Ok(LogGuard { _worker: worker })
}
