//! A thread that writes log lines, many at a time.
//!
//! Waking a thread for each line costs more than making the line. So the
//! thread is woken by the first, lets others join it for a moment, and writes
//! them together.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait to be written; past that, lines are dropped rather
/// than let a stuck reader hold requests up.
const MAX_WAITING: usize = 16 << 20;
/// How long a line may wait for others.
const GATHER: Duration = Duration::from_millis(10);
/// As much memory is kept from one round to the next.
const KEPT: usize = 1 << 20;

/// Puts lines in line; cloned for each event.
#[derive(Clone)]
pub(crate) struct LineWriter(Arc<Queue>);

/// Writes what waits, and ends the thread, when it is dropped.
pub(crate) struct Worker {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    /// The thread sleeps until it is woken.
    idle: bool,
    closed: bool,
}

impl LineWriter {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn start(sink: impl Write + Send + 'static) -> io::Result<(Self, Worker)> {
        let queue = Arc::new(Queue::default());
        let writing = queue.clone();
        let thread = thread::Builder::new()
            .name("hallpass-log".to_owned())
            .spawn(move || writing.write_to(sink))?;
        let worker = Worker {
            queue: queue.clone(),
            thread: Some(thread),
        };
        Ok((Self(queue), worker))
    }
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LineWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue.held().closed = true;
        self.queue.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.held();
        if waiting.lines.len() + line.len() > MAX_WAITING {
            waiting.dropped += 1;
            return;
        }
        waiting.lines.extend_from_slice(line);
        let wake = mem::take(&mut waiting.idle);
        drop(waiting);
        if wake {
            self.changed.notify_one();
        }
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        while let Some(dropped) = self.take(&mut lines) {
            // Nowhere is left to report that the log can't be written.
            let _ = sink.write_all(&lines);
            if dropped > 0 {
                let _ = writeln!(
                    sink,
                    r#"{{"level":"WARN","message":"log lines were dropped: the reader is too slow","lines":{dropped}}}"#
                );
            }
            let _ = sink.flush();
            lines.clear();
            lines.shrink_to(KEPT);
        }
    }

    /// Waits for lines, takes them all, and tells how many were dropped since.
    /// None when the queue is closed and empty.
    fn take(&self, lines: &mut Vec<u8>) -> Option<u64> {
        let mut waiting = self.held();
        while waiting.lines.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.idle = true;
            let woken = self.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        waiting.idle = false;
        let others = self
            .changed
            .wait_timeout_while(waiting, GATHER, |waiting| !waiting.closed);
        let mut waiting = others.unwrap_or_else(PoisonError::into_inner).0;
        mem::swap(&mut waiting.lines, lines);
        Some(mem::take(&mut waiting.dropped))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands over what is written, and waits with each write until it may.
    struct Gate {
        written: mpsc::Sender<Vec<u8>>,
        go: mpsc::Receiver<()>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.send(bytes.to_vec()).unwrap();
            // An end of the test lets everything through.
            let _ = self.go.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Gate, mpsc::Receiver<Vec<u8>>, mpsc::Sender<()>) {
        let (written, out) = mpsc::channel();
        let (open, go) = mpsc::channel();
        (Gate { written, go }, out, open)
    }

    #[test]
    fn what_waits_is_written_in_order_before_the_end() {
        let (gate, out, open) = gate();
        let (mut writer, worker) = LineWriter::start(gate).unwrap();
        for line in ["a\n", "b\n", "c\n"] {
            writer.write_all(line.as_bytes()).unwrap();
        }
        drop(open);
        drop(worker);
        let written: Vec<u8> = out.iter().flatten().collect();
        assert_eq!(written, b"a\nb\nc\n");
    }

    #[test]
    fn a_reader_that_does_not_read_costs_lines_and_nobody_s_time() {
        let (gate, out, open) = gate();
        let (mut writer, worker) = LineWriter::start(gate).unwrap();
        writer.write_all(b"first\n").unwrap();
        assert_eq!(out.recv().unwrap(), b"first\n");
        let line = vec![b'x'; MAX_WAITING / 4];
        for _ in 0..6 {
            writer.write_all(&line).unwrap();
        }
        drop(open);
        drop(worker);
        let told: Vec<u8> = out.iter().flatten().collect();
        assert_eq!(
            told.iter().filter(|byte| **byte == b'x').count(),
            MAX_WAITING
        );
        assert!(told.ends_with(b"\"lines\":2}\n"));
    }
}
