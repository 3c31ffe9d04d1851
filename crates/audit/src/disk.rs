//! The file operations a trail is written with.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

#[cfg(target_os = "linux")]
use rustix::fs::{AtFlags, StatxFlags, statx};

/// Makes and opens segments; tests put faults in its place.
pub trait Disk: Send + Sync {
    /// Makes a directory and those above it, if it is not there.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes a new file to append to.
    ///
    /// # Errors
    ///
    /// When there is such a file already, or it can't be made.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;

    /// Opens a file to append to.
    ///
    /// # Errors
    ///
    /// When it can't be opened.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;

    /// Writes a file's first bytes once more, unchanged, and makes them durable.
    ///
    /// What is read from a file may be in memory only: after a failed sync the
    /// system holds it for written, and no further sync would write it.
    ///
    /// # Errors
    ///
    /// When the file can't be read, written or made durable.
    fn settle(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Makes a file of so many bytes that are all written and durable, in place
    /// of what was there.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    fn journal(&self, path: &Path, length: u64) -> io::Result<Box<dyn JournalFile>>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// When it can't be removed.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory's entries durable.
    ///
    /// # Errors
    ///
    /// When the disk does not do it.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A segment being written.
pub trait SegmentFile: Send {
    /// Appends some of the bytes and says how many.
    ///
    /// # Errors
    ///
    /// When the disk takes none.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes everything written durable (fdatasync).
    ///
    /// # Errors
    ///
    /// When the disk does not do it, or the file was deleted meanwhile; what was
    /// written may be lost then, and a second try proves nothing.
    fn sync(&mut self) -> io::Result<()>;

    /// Fails where the file was deleted: what is written to it then is gone when
    /// the server ends.
    ///
    /// # Errors
    ///
    /// When the file was deleted.
    fn check(&mut self) -> io::Result<()>;

    /// Cuts the file to a length.
    ///
    /// # Errors
    ///
    /// When the disk does not do it.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A file whose bytes are written over and whose length stays.
pub trait JournalFile: Send {
    /// Writes all of the bytes to a place.
    ///
    /// # Errors
    ///
    /// When the disk takes less.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written durable (fdatasync).
    ///
    /// # Errors
    ///
    /// As [`SegmentFile::sync`].
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn settle(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut piece = vec![0; 1 << 18];
        let mut offset = 0;
        while offset < length {
            let left = usize::try_from(length - offset).unwrap_or(usize::MAX);
            let size = left.min(piece.len());
            file.read_exact_at(&mut piece[..size], offset)?;
            file.write_all_at(&piece[..size], offset)?;
            offset += size as u64;
        }
        file.sync_data()
    }

    fn journal(&self, path: &Path, length: u64) -> io::Result<Box<dyn JournalFile>> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        io::copy(&mut io::repeat(0).take(length), &mut file)?;
        file.sync_all()?;
        Ok(Box::new(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl SegmentFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()?;
        self.check()
    }

    fn check(&mut self) -> io::Result<()> {
        match names(self)? {
            0 => Err(io::Error::other("the file was deleted")),
            _ => Ok(()),
        }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// How many names a file has; nothing else is asked for. Whoever asks for its
/// times too makes Linux keep the next change's to the nanosecond, and some
/// file systems then write them with every sync.
#[cfg(target_os = "linux")]
fn names(file: &File) -> io::Result<u64> {
    let looked = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::NLINK);
    match looked {
        Ok(looked) => Ok(looked.stx_nlink.into()),
        // A sandbox may not know the call.
        Err(_) => Ok(file.metadata()?.nlink()),
    }
}

/// How many names a file has.
#[cfg(not(target_os = "linux"))]
fn names(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.nlink())
}

impl JournalFile for File {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        SegmentFile::sync(self)
    }
}

/// Appends all of the bytes.
pub(crate) fn write_all(file: &mut dyn SegmentFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
