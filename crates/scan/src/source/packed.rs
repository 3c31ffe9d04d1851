//! Compressed files and archives, within each other up to a depth.

use std::{
    cell::Cell,
    io::{self, BufReader, Cursor, Read, Seek},
    rc::Rc,
};

use super::stream;
use crate::{document::Beside, scanner::Scanner};

/// How many of them may lie within each other.
const DEPTH: usize = 4;
/// Bytes that may be unpacked from one file.
const UNPACKED: u64 = 2 * 1024 * 1024 * 1024;
/// Bytes that tell what a stream is: a tar archive says so in its 262nd.
const HEAD: usize = 512;
/// Largest zip archive that lies within another file.
const INNER_ZIP: usize = stream::WHOLE;

/// What may still be unpacked from a file.
pub(super) type Allowance = Rc<Cell<u64>>;

/// What one file may unpack to.
pub(super) fn allowance() -> Allowance {
    Rc::new(Cell::new(UNPACKED))
}

/// Searches a stream: what it holds, when it is compressed or an archive.
pub(super) fn stream(
    scanner: &Scanner,
    path: &str,
    reader: &mut dyn Read,
    depth: usize,
    allowance: &Allowance,
    beside: Beside<'_>,
) -> io::Result<()> {
    let head = stream::read_up_to(reader, HEAD)?;
    let form = Form::of(path, &head);
    let mut whole = Cursor::new(head).chain(reader);
    if form != Form::Text && depth >= DEPTH {
        scanner.note(path, "archives lie too deep within each other");
        return Ok(());
    }
    let within = |reader: &mut dyn Read| {
        let mut limited = Limited {
            reader,
            left: Rc::clone(allowance),
        };
        stream(scanner, path, &mut limited, depth + 1, allowance, beside)
    };
    match form {
        Form::Unread(name) => {
            scanner.note(
                path,
                format_args!("it is packed by {name}, which is not read"),
            );
            Ok(())
        }
        Form::Text => stream::text(scanner, path, &mut whole, beside),
        Form::Gzip => within(&mut flate2::read::MultiGzDecoder::new(whole)),
        Form::Zstandard => within(&mut zstd::Decoder::new(whole)?),
        Form::Brotli => {
            // Brotli has no mark to know it by, so nothing is looked for within it.
            let mut reader = brotli_decompressor::Decompressor::new(whole, 64 * 1024);
            let mut limited = Limited {
                reader: &mut reader,
                left: Rc::clone(allowance),
            };
            stream::text(scanner, path, &mut limited, beside)
        }
        Form::Tar => tar(scanner, path, &mut whole, depth, allowance),
        Form::Zip => {
            let bytes = stream::read_up_to(&mut whole, INNER_ZIP + 1)?;
            if bytes.len() > INNER_ZIP {
                scanner.note(
                    path,
                    "a zip archive within another file is larger than 64 MiB",
                );
                return Ok(());
            }
            zip(scanner, path, Cursor::new(bytes), depth, allowance)
        }
    }
}

/// Searches every file of a zip archive.
pub(super) fn zip(
    scanner: &Scanner,
    path: &str,
    archive: impl Read + Seek,
    depth: usize,
    allowance: &Allowance,
) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(archive)?;
    for index in 0..archive.len() {
        let mut member = match archive.by_index(index) {
            Ok(member) => member,
            Err(error) => {
                scanner.note(format!("{path}!/{index}"), error);
                continue;
            }
        };
        if member.is_dir() {
            continue;
        }
        let name = member
            .name()
            .map_or_else(|_| format!("(member {index})"), |name| name.into_owned());
        let inner = format!("{path}!/{name}");
        self::member(scanner, &inner, &mut member, depth, allowance);
    }
    Ok(())
}

fn tar(
    scanner: &Scanner,
    path: &str,
    reader: &mut dyn Read,
    depth: usize,
    allowance: &Allowance,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        member(
            scanner,
            &format!("{path}!/{name}"),
            &mut entry,
            depth,
            allowance,
        );
    }
    Ok(())
}

/// Searches a member; one that can't be read does not keep the others from it.
fn member(
    scanner: &Scanner,
    path: &str,
    reader: &mut dyn Read,
    depth: usize,
    allowance: &Allowance,
) {
    let mut limited = Limited {
        reader,
        left: Rc::clone(allowance),
    };
    if let Err(error) = stream(scanner, path, &mut limited, depth + 1, allowance, &|_| None) {
        scanner.note(path, error);
    }
}

/// What a stream is, by its first bytes; brotli has no mark but its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Gzip,
    Zstandard,
    Brotli,
    Tar,
    Zip,
    /// Packed by something of this name.
    Unread(&'static str),
}

/// Archives whose zip stands behind something else: extensions of browsers,
/// programs of Python.
const PREFIXED_ZIPS: [&str; 3] = ["crx", "pex", "pyz"];

impl Form {
    pub(super) fn of(path: &str, head: &[u8]) -> Self {
        let extension = std::path::Path::new(path).extension().unwrap_or_default();
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstandard,
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Unread("xz"),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', ..] => Self::Unread("bzip2"),
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Self::Unread("7-Zip"),
            [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Self::Unread("RAR"),
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Unread("LZ4"),
            _ if head.get(257..262) == Some(b"ustar") => Self::Tar,
            _ if extension == "br" => Self::Brotli,
            _ if PREFIXED_ZIPS.iter().any(|known| extension == *known) => Self::Zip,
            _ => Self::Text,
        }
    }
}

/// A reader that takes what it reads from an allowance.
struct Limited<'a> {
    reader: &'a mut dyn Read,
    left: Allowance,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let left = self.left.get().checked_sub(count as u64);
        self.left
            .set(left.ok_or_else(|| io::Error::other("it unpacks to more than 2 GiB"))?);
        Ok(count)
    }
}

/// Opens a file of any form.
pub(super) fn file(
    scanner: &Scanner,
    path: &str,
    mut file: std::fs::File,
    beside: Beside<'_>,
) -> io::Result<()> {
    let head = stream::read_up_to(&mut file, HEAD)?;
    file.rewind()?;
    let allowance = allowance();
    if Form::of(path, &head) == Form::Zip {
        return zip(scanner, path, BufReader::new(file), 0, &allowance);
    }
    stream(scanner, path, &mut file, 0, &allowance, beside)
}
