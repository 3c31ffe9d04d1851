//! The socket, watched: what passes is noted, and bad framing is stopped.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::activity::Activity;
use super::framing::Framing;
use super::roster::Seat;

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the parser is given in place of refused bytes.
///
/// No line of a head and no chunk size may hold a NUL, so it answers 400 by
/// itself and closes; it looks only once it sees the end of a head.
const UNACCEPTABLE: &[u8] = b"\0\r\n\r\n";

/// Bytes read at a time, and thrown away, after the answer is out.
const LINGER_CHUNK: usize = 4096;

/// A TCP connection, plain or inside TLS.
#[derive(Debug)]
pub enum Socket {
    /// Without TLS.
    Plain(TcpStream),
    /// After a finished TLS handshake.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What the bytes so far turned out to be.
#[derive(Debug)]
enum Speaks {
    /// The first bytes equal this much of the HTTP/2 preface.
    Undecided(usize),
    Http1(Framing),
    Http2,
    /// Refused; this much is still to be given to the parser.
    Nonsense(&'static [u8]),
}

/// The connection hyper serves, and a WebSocket takes over.
#[derive(Debug)]
pub struct Transport {
    socket: Socket,
    speaks: Speaks,
    ended: bool,
    activity: Arc<Activity>,
    seat: Seat,
}

impl Transport {
    pub(super) fn new(socket: Socket, activity: Arc<Activity>, seat: Seat) -> Self {
        Self {
            socket,
            speaks: Speaks::Undecided(0),
            ended: false,
            activity,
            seat,
        }
    }

    /// The bare socket, for a relay that moves frames itself.
    ///
    /// Keep the [`Seat`] as long as the socket: it is the connection's place
    /// under the caps.
    pub fn into_parts(self) -> (Socket, Seat) {
        (self.socket, self.seat)
    }

    /// Judges the bytes just read; answers how many of them are sound.
    fn judge(&mut self, bytes: &[u8]) -> Result<(), usize> {
        if let Speaks::Undecided(matched) = self.speaks {
            self.speaks = recognise(matched, bytes)?;
            if matches!(self.speaks, Speaks::Http2) {
                self.activity.turn_http2();
            }
        } else if let Speaks::Http1(framing) = &mut self.speaks {
            framing.read(bytes).map_err(|(sound, found)| {
                tracing::debug!(violation = ?found, "refused ambiguous HTTP/1 framing");
                sound
            })?;
        }
        let mid_head = matches!(&self.speaks, Speaks::Http1(framing) if framing.is_mid_head());
        self.activity.received(mid_head);
        Ok(())
    }

    /// Reads on after the answer, so that no reset overtakes it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.linger();
        let mut scratch = [0; LINGER_CHUNK];
        loop {
            let mut unread = ReadBuf::new(&mut scratch);
            let read = ready!(self.socket.poll_read(cx, &mut unread));
            if read.is_err() || unread.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Follows the first bytes until they differ from the HTTP/2 preface.
fn recognise(matched: usize, bytes: &[u8]) -> Result<Speaks, usize> {
    let expected = &HTTP2_PREFACE[matched..];
    let compared = expected.len().min(bytes.len());
    if expected[..compared] == bytes[..compared] {
        return Ok(match compared == expected.len() {
            true => Speaks::Http2,
            false => Speaks::Undecided(matched + compared),
        });
    }
    let mut framing = Framing::new();
    let earlier = framing.read(&HTTP2_PREFACE[..matched]);
    earlier
        .map_err(|_| 0)
        .and_then(|()| framing.read(bytes).map_err(|(sound, _)| sound))?;
    Ok(Speaks::Http1(framing))
}

/// Hands over the beginning of `left`; once all is given, nothing ever follows.
fn give(left: &mut &'static [u8], buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    if left.is_empty() {
        return Poll::Pending;
    }
    let (now, later) = left.split_at(left.len().min(buf.remaining()));
    buf.put_slice(now);
    *left = later;
    Poll::Ready(Ok(()))
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let upgraded = this.activity.is_upgraded();
        if upgraded {
            // The connection's own task is gone, so orders come here.
            if this.activity.must_stop_now() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            this.activity.register(cx.waker());
        }
        if let Speaks::Nonsense(left) = &mut this.speaks {
            return give(left, buf);
        }
        let before = buf.filled().len();
        ready!(this.socket.poll_read(cx, buf))?;
        let fresh = &buf.filled()[before..];
        if fresh.is_empty() {
            this.ended = true;
        } else if !upgraded && let Err(sound) = this.judge(fresh) {
            buf.set_filled(before + sound);
            let mut left = UNACCEPTABLE;
            let given = give(&mut left, buf);
            this.speaks = Speaks::Nonsense(left);
            return given;
        }
        Poll::Ready(Ok(()))
    }
}

impl Transport {
    /// Notes whether the client makes room.
    fn watched<T>(&self, polled: Poll<T>) -> Poll<T> {
        match polled {
            Poll::Ready(_) => self.activity.unblocked(),
            Poll::Pending => self.activity.blocked(),
        }
        polled
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        this.watched(wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Socket::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        this.watched(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(stream) => stream.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        this.watched(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        ready!(this.watched(closed))?;
        if this.ended || this.activity.is_upgraded() {
            return Poll::Ready(Ok(()));
        }
        this.poll_linger(cx)
    }
}

impl Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}
