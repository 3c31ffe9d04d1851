//! One of the two connections, and what waits to be written to it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{io::ReadBuf, time::Instant};

use super::Pipe;

/// One connection.
pub(super) struct Leg {
    pipe: Box<dyn Pipe>,
    /// Bytes that came before the pipe was ours.
    ahead: Vec<u8>,
    queue: Vec<u8>,
    written: usize,
    /// No more comes from it.
    pub(super) ended: bool,
    /// It takes no more.
    pub(super) broken: bool,
    /// Since when it takes nothing, though something waits.
    pub(super) stalled: Option<Instant>,
}

impl Leg {
    pub(super) const fn new(pipe: Box<dyn Pipe>, ahead: Vec<u8>) -> Self {
        Self {
            pipe,
            ahead,
            queue: Vec::new(),
            written: 0,
            ended: false,
            broken: false,
            stalled: None,
        }
    }

    /// Bytes that wait to be written.
    pub(super) const fn waiting(&self) -> usize {
        self.queue.len() - self.written
    }

    /// Puts bytes in line.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.queue.extend_from_slice(bytes);
        }
    }

    /// Writes bytes now where nothing waits before them, and the rest later.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        if self.broken {
            return;
        }
        let mut sent = 0;
        if self.waiting() == 0 {
            sent = self.write(cx, bytes).unwrap_or(0);
        }
        if let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            self.push(rest);
            self.stalled.get_or_insert_with(Instant::now);
        }
    }

    /// Writes what waits; true when something moved.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while self.waiting() > 0 && !self.broken {
            let queue = std::mem::take(&mut self.queue);
            let wrote = self.write(cx, &queue[self.written..]);
            self.queue = queue;
            let Some(count) = wrote else { break };
            self.written += count;
            self.stalled = None;
            moved = true;
        }
        if self.waiting() == 0 || self.broken {
            self.queue = Vec::new();
            self.written = 0;
            self.stalled = None;
        } else if self.stalled.is_none() {
            self.stalled = Some(Instant::now());
        }
        moved
    }

    /// None where it takes nothing now.
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<usize> {
        match Pin::new(&mut *self.pipe).poll_write(cx, bytes) {
            Poll::Ready(Ok(0) | Err(_)) => {
                self.broken = true;
                None
            }
            Poll::Ready(Ok(count)) => Some(count),
            Poll::Pending => None,
        }
    }

    /// Flushes what a layer below holds, and closes the writing half.
    pub(super) fn shut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.broken {
            return Poll::Ready(());
        }
        Pin::new(&mut *self.pipe).poll_shutdown(cx).map(|shut| {
            if shut.is_err() {
                self.broken = true;
            }
        })
    }

    /// Pushes what TLS holds back on its way.
    pub(super) fn nudge(&mut self, cx: &mut Context<'_>) {
        if !self.broken
            && let Poll::Ready(Err(_)) = Pin::new(&mut *self.pipe).poll_flush(cx)
        {
            self.broken = true;
        }
    }

    /// Reads into a buffer; none bytes are the end.
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.ahead[..count]);
            self.ahead.drain(..count);
            if self.ahead.is_empty() {
                self.ahead = Vec::new();
            }
            return Poll::Ready(Ok(count));
        }
        let mut read = ReadBuf::new(buffer);
        match Pin::new(&mut *self.pipe).poll_read(cx, &mut read) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(read.filled().len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}
