//! One writer a directory.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

const NAME: &str = "trail.lock";

/// A directory held by this process until dropped.
#[derive(Debug)]
pub(crate) struct DirLock(#[expect(dead_code, reason = "holds the lock while open")] File);

/// Why a directory can't be held.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds it; its id, where it could be read.
    Held(Option<u32>),
    /// The lock's file can't be used.
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl DirLock {
    /// Takes the lock of a directory, without waiting.
    pub(crate) fn take(dir: &Path) -> Result<Self, LockError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join(NAME))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(LockError::Held(holder(&mut file))),
            Err(error) => return Err(LockError::Io(error.into())),
        }
        // The id only names the holder to others; the lock itself is flock's.
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

/// Whether a process writes the trail of a directory.
#[must_use]
pub fn is_held(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(NAME)) else {
        return false;
    };
    let asked = flock(&file, FlockOperation::NonBlockingLockShared);
    asked == Err(rustix::io::Errno::WOULDBLOCK)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
