//! Buffers for reading, held only while there is something in them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes of one buffer: more than a frame of audio, so that one is read at once.
const SIZE: usize = 16 * 1024;
/// Buffers kept for the next who needs one.
const KEPT: usize = 64;

/// A pool of buffers. A session that waits holds none.
#[derive(Clone, Default)]
pub struct Buffers(Arc<Mutex<Vec<Box<[u8]>>>>);

impl Buffers {
    pub(super) fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice())
    }

    pub(super) fn give_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buffers(…)")
    }
}
