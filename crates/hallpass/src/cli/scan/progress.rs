//! One line that says how far a scan has got, where a person watches.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use hallpass_scan::Progress;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(150);

/// The line; it goes away when this is dropped.
pub(super) struct Line {
    /// Hanging up is the sign to end.
    end: Option<mpsc::Sender<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Line {
    /// A line on standard error, if that is a terminal.
    pub(super) fn on_terminal(progress: Arc<Progress>) -> Option<Self> {
        stderr().is_terminal().then(|| {
            let (end, ended) = mpsc::channel();
            let writer = std::thread::spawn(move || write(&progress, &ended));
            Self {
                end: Some(end),
                writer: Some(writer),
            }
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write(progress: &Progress, ended: &mpsc::Receiver<()>) {
    let mut terminal = stderr();
    while ended.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        let megabytes = progress.bytes() as f64 / 1e6;
        let _ = write!(
            terminal,
            "\r\u{1b}[Kscanned {} texts, {megabytes:.0} MB",
            progress.texts()
        );
        let _ = terminal.flush();
    }
    let _ = write!(terminal, "\r\u{1b}[K");
}
