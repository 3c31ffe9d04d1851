//! RESP2: commands in, replies out.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use turmoil::net::TcpStream;

/// What a command is answered with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    Status(&'static str),
    Error(String),
    Number(i64),
    Text(Vec<u8>),
    None,
    List(Vec<Reply>),
    NoList,
}

impl Reply {
    pub(super) const OK: Self = Self::Status("OK");

    pub(super) fn error(text: &str) -> Self {
        Self::Error(text.to_owned())
    }

    pub(super) fn text(text: Option<Vec<u8>>) -> Self {
        text.map_or(Self::None, Self::Text)
    }

    pub(super) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Status(text) => to.extend(format!("+{text}\r\n").bytes()),
            Self::Error(text) => to.extend(format!("-{text}\r\n").bytes()),
            Self::Number(number) => to.extend(format!(":{number}\r\n").bytes()),
            Self::None => to.extend(b"$-1\r\n"),
            Self::NoList => to.extend(b"*-1\r\n"),
            Self::Text(text) => {
                to.extend(format!("${}\r\n", text.len()).bytes());
                to.extend(text);
                to.extend(b"\r\n");
            }
            Self::List(list) => {
                to.extend(format!("*{}\r\n", list.len()).bytes());
                list.iter().for_each(|reply| reply.write(to));
            }
        }
    }
}

/// Reads commands from a connection.
pub(super) struct Reader(BufReader<TcpStream>);

impl Reader {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        self.0.get_mut()
    }

    /// The next command; none when the client has gone.
    pub(super) async fn command(&mut self) -> io::Result<Option<Vec<Vec<u8>>>> {
        let Some(count) = self.head(b'*').await? else {
            return Ok(None);
        };
        let mut command = Vec::with_capacity(count);
        for _ in 0..count {
            let length = self.head(b'$').await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let mut text = vec![0; length + 2];
            self.0.read_exact(&mut text).await?;
            text.truncate(length);
            command.push(text);
        }
        Ok(Some(command))
    }

    async fn head(&mut self, mark: u8) -> io::Result<Option<usize>> {
        let mut line = Vec::new();
        if self.0.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let digits = line
            .strip_prefix(&[mark])
            .and_then(|it| it.strip_suffix(b"\r\n"));
        let digits = digits.and_then(|it| std::str::from_utf8(it).ok());
        let count = digits.and_then(|it| it.parse().ok());
        count
            .map(Some)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}
