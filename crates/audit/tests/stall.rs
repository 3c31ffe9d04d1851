//! A disk that does not answer holds nobody, and what it was given is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, mpsc},
    time::Duration,
};

use hallpass_audit::{Disk, JournalFile, LocalDisk, SegmentFile, Trail, TrailObserver};
use hallpass_core::ports::{AuditLog, AuditUnavailable};
use support::{check, event, quick_dir, settings};

/// A gate that syncs wait at while it is shut.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let shut = self.shut.lock().unwrap();
        drop(self.moved.wait_while(shut, |shut| *shut).unwrap());
    }
}

/// The test's hold of the gate: it does not end with the gate shut, since the
/// trail's end waits for its writer.
struct Hold(Arc<Gate>);

impl Hold {
    fn set(&self, shut: bool) {
        self.0.set(shut);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The local disk behind a gate.
struct Gated(Arc<Gate>);

struct GatedFile(Arc<Gate>, Box<dyn JournalFile>);

impl Disk for Gated {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.create_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        LocalDisk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        LocalDisk.open(path)
    }

    fn settle(&self, path: &Path, length: u64) -> io::Result<()> {
        LocalDisk.settle(path, length)
    }

    fn journal(&self, path: &Path, length: u64) -> io::Result<Box<dyn JournalFile>> {
        let file = LocalDisk.journal(path, length)?;
        Ok(Box::new(GatedFile(self.0.clone(), file)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }
}

impl JournalFile for GatedFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.1.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.pass();
        self.1.sync()
    }
}

/// Passes on what it is told.
struct Told(Mutex<mpsc::Sender<bool>>);

impl TrailObserver for Told {
    fn synced(&self, _records: usize, _write: Duration, _sync: Duration) {}

    fn poisoned(&self, why: &str) {
        panic!("{why}");
    }

    fn stalled(&self, stalled: bool) {
        self.0.lock().unwrap().send(stalled).unwrap();
    }
}

fn gated(dir: &Path) -> (Trail, Hold, mpsc::Receiver<bool>) {
    let gate = Arc::new(Gate::default());
    let (told, hears) = mpsc::channel();
    let mut settings = settings(dir);
    settings.disk = Arc::new(Gated(gate.clone()));
    settings.patience = Duration::from_millis(40);
    settings.observer = Arc::new(Told(Mutex::new(told)));
    (Trail::open(settings).unwrap().0, Hold(gate), hears)
}

fn assert_late<T: std::fmt::Debug>(result: &Result<T, AuditUnavailable>) {
    assert!(matches!(result, Err(AuditUnavailable::Late)), "{result:?}");
}

#[tokio::test]
async fn nobody_waits_for_a_disk_that_hangs_and_no_record_is_lost() {
    let dir = quick_dir();
    let (trail, gate, hears) = gated(dir.path());
    trail.append(event(0)).await.unwrap();

    gate.set(true);
    assert_late(&trail.append(event(1)).await);
    assert!(!trail.writable());
    assert!(hears.recv().unwrap(), "the operator is told");
    // In line behind it, and told at once.
    assert_late(&trail.append(event(2)).await);

    gate.set(false);
    assert!(!hears.recv().unwrap(), "and told that it is over");
    assert!(trail.writable());
    assert_eq!(trail.append(event(3)).await.unwrap().sequence, 3);
    drop(trail);
    assert_eq!(check(dir.path()).unwrap().records, 4);
}

#[tokio::test]
async fn those_in_line_when_the_disk_hangs_are_told_too() {
    let dir = quick_dir();
    let (trail, gate, _hears) = gated(dir.path());
    gate.set(true);
    let waiting: Vec<_> = (0..3).map(|number| trail.append(event(number))).collect();
    for ticket in waiting {
        assert_late(&ticket.await);
    }
    gate.set(false);
    drop(trail);
    assert_eq!(check(dir.path()).unwrap().records, 3);
}
