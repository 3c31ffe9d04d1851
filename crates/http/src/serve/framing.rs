//! HTTP/1 bytes that two parsers could read differently are refused.
//!
//! Request smuggling lives on leniency: one server takes a bare LF for a line
//! end, a repeated `Content-Length` for one, or `Transfer-Encoding` beside
//! `Content-Length` for the truth, and its neighbour does not. The parser
//! behind this file forgives some of these, so the bytes pass a strict reader
//! first. It decides nothing about meaning; it only knows where messages end,
//! and stops at the first byte that is open to argument.

use std::mem;

/// Most digits of a chunk's size; leading zeros count.
const MAX_CHUNK_DIGITS: usize = 16;

/// Why the bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    BareLineFeed,
    RepeatedLength,
    LengthAndEncoding,
    BadLength,
    BadEncoding,
    BadChunk,
    NoHost,
    RepeatedHost,
}

/// Where in a stream of requests the next byte belongs.
#[derive(Debug)]
enum Place {
    /// In a head; what is known of it so far.
    Head(Head),
    /// In a body of known length: bytes left.
    Body(u64),
    ChunkSize,
    /// In a chunk: bytes left, its closing line end included.
    Chunk(u64),
    Trailers,
}

#[derive(Debug, Default)]
struct Head {
    started: bool,
    length: Option<u64>,
    chunked: bool,
    host: Host,
}

/// What is known of a request's `Host`, without which HTTP/1.1 has no target.
#[derive(Debug, Default)]
enum Host {
    /// HTTP/1.0 goes without.
    #[default]
    Optional,
    Missing,
    Given,
}

/// Follows the framing of one HTTP/1 connection, byte for byte.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    /// The line under way, when a read ended inside it.
    line: Vec<u8>,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Head(Head::default()),
            line: Vec::new(),
        }
    }

    /// Reads on.
    ///
    /// # Errors
    ///
    /// The violation, and how many of `bytes` come before its line: those are
    /// sound, and nothing after them may be used.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), (usize, Violation)> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let sound = bytes.len() - rest.len();
            rest = match &mut self.place {
                Place::Body(left) | Place::Chunk(left) => {
                    let taken = usize::try_from(*left).map_or(rest.len(), |l| l.min(rest.len()));
                    *left -= taken as u64;
                    if *left == 0 {
                        self.end_block();
                    }
                    &rest[taken..]
                }
                _ => self.read_line(rest).map_err(|found| (sound, found))?,
            };
        }
        Ok(())
    }

    /// Whether the bytes so far end inside a head.
    pub(super) fn is_mid_head(&self) -> bool {
        matches!(&self.place, Place::Head(head) if head.started || !self.line.is_empty())
    }

    fn end_block(&mut self) {
        self.place = match self.place {
            Place::Chunk(_) => Place::ChunkSize,
            _ => Place::Head(Head::default()),
        };
    }

    /// Takes one line, or keeps its beginning; answers what is left.
    fn read_line<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Violation> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            if matches!(self.place, Place::ChunkSize) && !begins_chunk_size(&self.line) {
                return Err(Violation::BadChunk);
            }
            return Ok(&[]);
        };
        let (line, rest) = bytes.split_at(end);
        if self.line.is_empty() {
            self.take_line(line)?;
        } else {
            let mut whole = mem::take(&mut self.line);
            whole.extend_from_slice(line);
            self.take_line(&whole)?;
        }
        Ok(&rest[1..])
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(Violation::BareLineFeed);
        };
        match &mut self.place {
            Place::Head(head) if !line.is_empty() => head.take_line(line)?,
            // A blank line ends a head; before a request line it is skipped.
            Place::Head(head) if head.started => self.place = head.what_follows()?,
            Place::ChunkSize => {
                self.place = match chunk_size(line)? {
                    0 => Place::Trailers,
                    size => Place::Chunk(size.saturating_add(2)),
                };
            }
            Place::Trailers if line.is_empty() => self.place = Place::Head(Head::default()),
            _ => (),
        }
        Ok(())
    }
}

impl Head {
    fn take_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        // The request line is the parser's; only fields frame the body.
        if !mem::replace(&mut self.started, true) {
            if line.ends_with(b" HTTP/1.1") {
                self.host = Host::Missing;
            }
            return Ok(());
        }
        if let Some(value) = field(line, b"content-length:") {
            if self.length.is_some() {
                return Err(Violation::RepeatedLength);
            }
            self.length = Some(decimal(value).ok_or(Violation::BadLength)?);
        } else if let Some(value) = field(line, b"transfer-encoding:") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::BadEncoding);
            }
            self.chunked = true;
        } else if field(line, b"host:").is_some()
            && matches!(mem::replace(&mut self.host, Host::Given), Host::Given)
        {
            return Err(Violation::RepeatedHost);
        }
        Ok(())
    }

    fn what_follows(&self) -> Result<Place, Violation> {
        if matches!(self.host, Host::Missing) {
            return Err(Violation::NoHost);
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Violation::LengthAndEncoding),
            (None, true) => Ok(Place::ChunkSize),
            (None | Some(0), false) => Ok(Place::Head(Self::default())),
            (Some(length), false) => Ok(Place::Body(length)),
        }
    }
}

/// The value of a field line whose lower-case name, colon included, is `name`.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start
        .eq_ignore_ascii_case(name)
        .then(|| value.trim_ascii_start().trim_ascii_end())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether these bytes can become a chunk's size, its CR perhaps included.
///
/// Asked for each part, since the parser skips an extension as it comes.
fn begins_chunk_size(part: &[u8]) -> bool {
    let digits = part.strip_suffix(b"\r").unwrap_or(part);
    digits.len() <= MAX_CHUNK_DIGITS && digits.iter().all(u8::is_ascii_hexdigit)
}

/// A chunk's size: hexadecimal digits and nothing else, no extension.
fn chunk_size(line: &[u8]) -> Result<u64, Violation> {
    if line.is_empty() || !begins_chunk_size(line) {
        return Err(Violation::BadChunk);
    }
    str::from_utf8(line)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(Violation::BadChunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict must not depend on how the bytes were cut into reads.
    fn verdict(text: &str) -> Result<(), Violation> {
        let whole = Framing::new()
            .read(text.as_bytes())
            .map_err(|(_, found)| found);
        for size in [1, 2, 3, 7] {
            let mut framing = Framing::new();
            let pieces = text.as_bytes().chunks(size);
            let mut verdicts = pieces.map(|piece| framing.read(piece).map_err(|(_, found)| found));
            let cut = verdicts.find(Result::is_err);
            assert_eq!(cut.unwrap_or(Ok(())), whole, "cut by {size}: {text:?}");
        }
        whole
    }

    #[test]
    fn what_plain_clients_send_passes() {
        let fine = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nbGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:Chunked \r\n\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Content-Length: 1\r\nX-Content-Length: 2\r\n\r\n",
        ];
        for text in fine {
            assert_eq!(verdict(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn the_sound_bytes_end_where_the_bad_line_begins() {
        let sound = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
        let bytes = format!("{sound}GET / HTTP/1.1\nHost: a\r\n\r\n");
        let refused = Framing::new().read(bytes.as_bytes());
        assert_eq!(refused, Err((sound.len(), Violation::BareLineFeed)));
    }

    #[test]
    fn it_knows_when_a_head_is_under_way() {
        let mut framing = Framing::new();
        let mut after = |bytes: &[u8]| {
            framing.read(bytes).unwrap();
            framing.is_mid_head()
        };
        assert!(!after(b"\r\n"));
        assert!(after(b"G"));
        assert!(after(b"ET / HTTP/1.1\r\nHost: a\r\n"));
        assert!(!after(b"\r\n"));
    }

    #[test]
    fn what_parsers_disagree_on_is_refused() {
        use Violation::*;
        let head = "POST / HTTP/1.1\r\nHost: a\r\n";
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let corpus = [
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), NoHost),
            ("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n".to_owned(), NoHost),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n".to_owned(),
                RepeatedHost,
            ),
            (
                "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
                RepeatedHost,
            ),
            ("GET / HTTP/1.1\n\n".to_owned(), BareLineFeed),
            (format!("{head}Host: a\nX: y\r\n\r\n"), BareLineFeed),
            (
                format!("{head}Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
                RepeatedLength,
            ),
            (
                format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\na"),
                RepeatedLength,
            ),
            (format!("{head}Content-Length: 1, 1\r\n\r\na"), BadLength),
            (format!("{head}Content-Length: +1\r\n\r\na"), BadLength),
            (format!("{head}Content-Length: 0x1\r\n\r\na"), BadLength),
            (format!("{head}Content-Length:\r\n\r\na"), BadLength),
            (
                format!("{head}Content-Length: 99999999999999999999\r\n\r\na"),
                BadLength,
            ),
            (
                format!("{head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
                LengthAndEncoding,
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
                LengthAndEncoding,
            ),
            (
                format!("{head}Transfer-Encoding: xchunked\r\n\r\n"),
                BadEncoding,
            ),
            (
                format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n"),
                BadEncoding,
            ),
            (
                format!("{head}Transfer-Encoding: \x0bchunked\r\n\r\n"),
                BadEncoding,
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"),
                BadEncoding,
            ),
            (format!("{chunked}3;x=y\r\nabc\r\n0\r\n\r\n"), BadChunk),
            (format!("{chunked}3 \r\nabc\r\n0\r\n\r\n"), BadChunk),
            (format!("{chunked}0x3\r\nabc\r\n0\r\n\r\n"), BadChunk),
            (format!("{chunked}-3\r\nabc\r\n0\r\n\r\n"), BadChunk),
            (format!("{chunked}11111111111111111\r\n"), BadChunk),
            (format!("{chunked}3\nabc\r\n0\r\n\r\n"), BareLineFeed),
            (format!("{chunked}{}", "0".repeat(64)), BadChunk),
        ];
        for (text, violation) in corpus {
            assert_eq!(verdict(&text), Err(violation), "{text:?}");
        }
    }
}
