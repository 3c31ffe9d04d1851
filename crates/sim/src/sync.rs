//! Locking without poisoning.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere does not take the simulator down with it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
