//! HTTP/1.1 messages over a kept connection, at the least cost.
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const MAX_HEADERS: usize = 48;
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Where a whole message lies in a buffer, and what its head says.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    /// Status of a response; 0 for a request.
    pub(crate) status: u16,
    /// Bytes of the head.
    pub(crate) head: usize,
    /// Bytes of head and body.
    pub(crate) total: usize,
    /// Whether the sender closes the connection after it.
    pub(crate) closes: bool,
}

/// A connection and what was read from it.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    /// Opens a connection.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        Self::over(stream)
    }

    /// Takes over an open stream.
    pub(crate) fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 8 * 1024],
            filled: 0,
        })
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Message> {
        self.send(request).await?;
        let response = self.receive(response).await?;
        response.context("the server closed the connection without an answer")
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads a whole request; nothing when the peer closed between two.
    pub(crate) async fn receive_request(&mut self) -> Result<Option<Message>> {
        self.receive(request).await
    }

    /// The bytes of the message received last.
    pub(crate) fn received(&self, message: &Message) -> &[u8] {
        &self.buffer[..message.total]
    }

    /// The body of the message received last.
    pub(crate) fn body(&self, message: &Message) -> &[u8] {
        &self.buffer[message.head..message.total]
    }

    /// No message is ever sent before the one before it was answered, so the
    /// buffer holds the bytes of one message at most.
    async fn receive(&mut self, parse: Parse) -> Result<Option<Message>> {
        self.filled = 0;
        loop {
            if self.filled == self.buffer.len() {
                self.grow()?;
            }
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                ensure!(self.filled == 0, "the connection closed inside a message");
                return Ok(None);
            }
            self.filled += read;
            if let Some(message) = parse(&self.buffer[..self.filled])? {
                return Ok(Some(message));
            }
        }
    }

    fn grow(&mut self) -> Result<()> {
        let larger = self.buffer.len() * 2;
        ensure!(larger <= MAX_MESSAGE, "a message over {MAX_MESSAGE} bytes");
        self.buffer.resize(larger, 0);
        Ok(())
    }
}

type Parse = fn(&[u8]) -> Result<Option<Message>>;

/// Parses a response; nothing while it is incomplete.
fn response(bytes: &[u8]) -> Result<Option<Message>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else {
        return Ok(None);
    };
    let status = response.code.unwrap_or(0);
    framed(status, head, response.headers, bytes)
}

/// Parses a request; nothing while it is incomplete.
fn request(bytes: &[u8]) -> Result<Option<Message>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes)? else {
        return Ok(None);
    };
    framed(0, head, request.headers, bytes)
}

fn framed(
    status: u16,
    head: usize,
    headers: &[httparse::Header<'_>],
    bytes: &[u8],
) -> Result<Option<Message>> {
    let Some(body) = body_length(headers, &bytes[head..])? else {
        return Ok(None);
    };
    let total = head + body;
    let closes = header(headers, "connection").is_some_and(|v| v.eq_ignore_ascii_case(b"close"));
    Ok((bytes.len() >= total).then_some(Message {
        status,
        head,
        total,
        closes,
    }))
}

/// Bytes the body takes on the wire; nothing while that is not known yet.
fn body_length(headers: &[httparse::Header<'_>], rest: &[u8]) -> Result<Option<usize>> {
    if header(headers, "transfer-encoding").is_some() {
        return chunked_length(rest);
    }
    let Some(length) = header(headers, "content-length") else {
        return Ok(Some(0));
    };
    let length = std::str::from_utf8(length)?.trim();
    let length = length
        .parse()
        .context("a content-length that is no number")?;
    Ok(Some(length))
}

fn chunked_length(rest: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let Some(left) = rest.get(at..) else {
            return Ok(None);
        };
        let (size_line, size) = match httparse::parse_chunk_size(left) {
            Ok(httparse::Status::Complete(chunk)) => chunk,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => bail!("a chunk without a size"),
        };
        at += size_line + usize::try_from(size)? + 2;
        if size == 0 {
            return Ok((rest.len() >= at).then_some(at));
        }
    }
}

fn header<'h>(headers: &[httparse::Header<'h>], name: &str) -> Option<&'h [u8]> {
    headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nbody";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";

    #[test]
    fn a_response_is_whole_only_with_its_last_byte() {
        for whole in [PLAIN, CHUNKED] {
            for cut in 0..whole.len() {
                assert_eq!(response(&whole[..cut]).expect("no error"), None, "{cut}");
            }
            let message = response(whole).expect("no error").expect("whole");
            assert_eq!(message.total, whole.len());
        }
    }

    #[test]
    fn status_and_body_are_found() {
        let message = response(PLAIN).expect("no error").expect("whole");

        assert_eq!(message.status, 201);
        assert_eq!(&PLAIN[message.head..], b"body");
        assert!(!message.closes);
    }

    #[test]
    fn a_closing_sender_is_seen() {
        let bytes = b"HTTP/1.1 503 No\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n";

        let message = response(bytes).expect("no error").expect("whole");

        assert!(message.closes);
    }

    #[test]
    fn a_request_without_a_body_ends_with_its_head() {
        let bytes = b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n";

        let message = request(bytes).expect("no error").expect("whole");

        assert_eq!((message.head, message.total), (bytes.len(), bytes.len()));
    }

    #[test]
    fn what_is_not_http_is_refused() {
        assert!(response(b"SMTP 220\r\n\r\n").is_err());
        assert!(response(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
        let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
        assert!(response(chunk).is_err());
    }
}
