//! A child process whose lines can be waited for.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for anything a healthy process does at once.
const BOUND: Duration = Duration::from_secs(30);

/// The program under test, with nothing of this environment but the path.
pub(crate) fn binary() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_hallpass")))
}

/// A command without our environment, so that no setting of whoever tests
/// changes a test.
pub(crate) fn clean(mut command: Command) -> Command {
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// One of a process's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

#[derive(Default)]
struct Captured {
    lines: Vec<String>,
    ended: bool,
}

/// An output read by a thread of its own.
#[derive(Default)]
struct Output {
    captured: Mutex<Captured>,
    grew: Condvar,
}

impl Output {
    fn follow(self: Arc<Self>, from: impl Read + Send + 'static) -> JoinHandle<()> {
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                self.captured.lock().unwrap().lines.push(text);
                self.grew.notify_all();
                line.clear();
            }
            self.captured.lock().unwrap().ended = true;
            self.grew.notify_all();
        })
    }

    /// The first line that is looked for; none when the output ends before.
    fn find<T>(&self, mut look: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let (deadline, mut seen) = (Instant::now() + BOUND, 0);
        let mut captured = self.captured.lock().unwrap();
        loop {
            let found = captured.lines[seen..].iter().find_map(|line| look(line));
            seen = captured.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || captured.ended || left.is_zero() {
                return found;
            }
            captured = self.grew.wait_timeout(captured, left).unwrap().0;
        }
    }

    /// Whether the output ended within a time.
    fn ends_within(&self, bound: Duration) -> bool {
        let captured = self.captured.lock().unwrap();
        let wait = self
            .grew
            .wait_timeout_while(captured, bound, |captured| !captured.ended);
        wait.unwrap().0.ended
    }

    fn text(&self) -> String {
        self.captured.lock().unwrap().lines.join("\n")
    }
}

/// A running child process; dropping it ends it.
pub(crate) struct Process {
    child: Child,
    out: Arc<Output>,
    err: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    waited: bool,
}

impl Process {
    /// Starts a command and follows what it says.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the process starts");
        let (out, err) = (Arc::<Output>::default(), Arc::<Output>::default());
        let readers = vec![
            out.clone().follow(child.stdout.take().unwrap()),
            err.clone().follow(child.stderr.take().unwrap()),
        ];
        Self {
            child,
            out,
            err,
            readers,
            waited: false,
        }
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn output(&self, stream: Stream) -> &Output {
        match stream {
            Stream::Out => &self.out,
            Stream::Err => &self.err,
        }
    }

    /// Waits for a line.
    ///
    /// # Panics
    ///
    /// When it does not come, showing what came instead.
    pub(crate) fn wait_for<T>(&self, stream: Stream, look: impl FnMut(&str) -> Option<T>) -> T {
        self.output(stream).find(look).unwrap_or_else(|| {
            panic!(
                "the line did not come; standard output:\n{}\nstandard error:\n{}",
                self.text(Stream::Out),
                self.text(Stream::Err)
            )
        })
    }

    /// Everything said so far.
    pub(crate) fn text(&self, stream: Stream) -> String {
        self.output(stream).text()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Waits until it ended by itself.
    ///
    /// # Panics
    ///
    /// When it still runs after the bound.
    pub(crate) fn ended_within(&mut self, bound: Duration) -> ExitStatus {
        assert!(
            self.out.ends_within(bound),
            "still running after {bound:?}; standard error:\n{}",
            self.text(Stream::Err)
        );
        self.reap()
    }

    /// Signals it and waits until it ended.
    pub(crate) fn end(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.ended_within(BOUND)
    }

    /// `kill -9`: the process gets no last word.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().expect("the process is there");
        self.reap();
    }

    fn reap(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("the process is ours");
        self.waited = true;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.waited {
            return;
        }
        // As a person would; what does not end is killed, so that no test
        // leaves a process behind.
        let _ = kill_process(self.pid(), Signal::INT);
        if !self.out.ends_within(Duration::from_secs(10)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
