//! The TCP connection under a request, so that a fault can cut it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

/// Cuts the connection a request came on; in the request's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut {
    ended: CancellationToken,
    reset: Arc<AtomicBool>,
}

impl Cut {
    /// Ends the connection without another byte.
    pub(crate) fn close(&self) {
        self.ended.cancel();
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.ended.cancel();
    }

    /// Until someone cut.
    pub(crate) async fn cut(&self) {
        self.ended.cancelled().await;
    }
}

/// A TCP stream that ends as its [`Cut`] says, wherever it was moved to.
#[derive(Debug)]
pub(crate) struct CutStream {
    stream: TcpStream,
    cut: Cut,
}

impl CutStream {
    pub(crate) fn new(stream: TcpStream, cut: Cut) -> Self {
        Self { stream, cut }
    }
}

impl Drop for CutStream {
    fn drop(&mut self) {
        if self.cut.reset.load(Ordering::Acquire) {
            // Closing with no time to linger is what makes the kernel send RST.
            // A stream that refuses it is closed the ordinary way.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
