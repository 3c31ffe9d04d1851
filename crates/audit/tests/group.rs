//! One sync serves all who wait, and a disk that hangs blocks nobody.
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
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use hallpass_audit::{Disk, JournalFile, LocalDisk, SegmentFile, Trail, TrailObserver};
use hallpass_core::ports::AuditLog;
use support::{check, event, settings};
use tempfile::{TempDir, tempdir};

/// A disk whose syncs say that they began, and end when they are told.
struct Gated {
    began: mpsc::Sender<()>,
    go: Arc<Mutex<mpsc::Receiver<()>>>,
}

struct GatedFile {
    file: Box<dyn JournalFile>,
    began: mpsc::Sender<()>,
    go: Arc<Mutex<mpsc::Receiver<()>>>,
}

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
        Ok(Box::new(GatedFile {
            file,
            began: self.began.clone(),
            go: self.go.clone(),
        }))
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
        self.file.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        let _ = self.began.send(());
        // A closed gate's other side is gone when the test is over.
        let _ = self.go.lock().unwrap().recv();
        self.file.sync()
    }
}

#[derive(Default)]
struct Batches(Mutex<Vec<usize>>);

impl TrailObserver for Batches {
    fn synced(&self, records: usize, _write: Duration, _sync: Duration) {
        self.0.lock().unwrap().push(records);
    }

    fn poisoned(&self, why: &str) {
        panic!("{why}");
    }

    fn stalled(&self, _stalled: bool) {}
}

struct Fixture {
    dir: TempDir,
    trail: Trail,
    batches: Arc<Batches>,
    began: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

fn fixture() -> Fixture {
    let dir = tempdir().unwrap();
    let (began_here, began) = mpsc::channel();
    let (go, go_there) = mpsc::channel();
    let batches = Arc::new(Batches::default());
    let mut settings = settings(dir.path());
    settings.disk = Arc::new(Gated {
        began: began_here,
        go: Arc::new(Mutex::new(go_there)),
    });
    settings.observer = batches.clone();
    let (trail, _) = Trail::open(settings).unwrap();
    Fixture {
        dir,
        trail,
        batches,
        began,
        go,
    }
}

#[tokio::test]
async fn all_that_came_during_a_sync_share_the_next() {
    let fixture = fixture();
    let first = fixture.trail.append(event(0));
    fixture.began.recv().unwrap();
    let others: Vec<_> = (1..=100).map(|n| fixture.trail.append(event(n))).collect();
    fixture.go.send(()).unwrap();
    assert_eq!(first.await.unwrap().sequence, 0);
    fixture.began.recv().unwrap();
    fixture.go.send(()).unwrap();
    for (number, other) in others.into_iter().enumerate() {
        assert_eq!(other.await.unwrap().sequence, number as u64 + 1);
    }
    assert_eq!(*fixture.batches.0.lock().unwrap(), [1, 100]);
}

#[tokio::test]
async fn nothing_is_durable_before_its_sync_ends() {
    let fixture = fixture();
    let mut record = fixture.trail.append(event(0));
    fixture.began.recv().unwrap();
    let waited = std::future::poll_fn(|context| {
        std::task::Poll::Ready(record.as_mut().poll(context).is_pending())
    });
    assert!(waited.await);
    fixture.go.send(()).unwrap();
    record.await.unwrap();
}

#[tokio::test]
async fn a_disk_that_hangs_fills_the_queue_and_then_refuses_at_once() {
    let Fixture {
        dir,
        trail,
        began,
        go,
        ..
    } = fixture();
    let large = |number| {
        let mut event = event(number);
        event.facts.push(("large", "x".repeat(1_000_000)));
        event
    };
    let first = trail.append(large(0));
    began.recv().unwrap();
    let waiting: Vec<_> = (1..=67).map(|number| trail.append(large(number))).collect();
    let error = trail.append(large(68)).await.unwrap_err();
    assert!(error.to_string().contains("too slow"), "{error}");
    assert!(trail.writable(), "a small record may still come through");
    drop(go);
    first.await.unwrap();
    for record in waiting {
        record.await.unwrap();
    }
    drop(trail);
    assert_eq!(check(dir.path()).unwrap().records, 68);
}
