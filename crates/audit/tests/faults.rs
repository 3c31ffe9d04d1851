//! Every step at the disk failed once in turn: what was acknowledged is there,
//! nothing is acknowledged after, and the trail opens again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hallpass_audit::{
    Disk, JournalFile, LocalDisk, OpenError, SegmentFile, Trail, TrailObserver, TrailReader,
    TrailSettings,
};
use hallpass_core::ports::{AuditLog, AuditReceipt};
use support::{check, event, open, quick_dir, segments, settings};

/// What a step does when its turn to fail comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// An I/O error.
    Io,
    /// The disk is full.
    Full,
    /// The disk is read-only.
    ReadOnly,
    /// A write takes half of the bytes; the next one fails.
    Torn,
    /// A write takes nothing.
    Nothing,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Full | Self::Torn => io::ErrorKind::StorageFull.into(),
            Self::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
            Self::Io | Self::Nothing => io::Error::other("input/output error"),
        }
    }
}

/// Fails one step, and counts all.
struct Faulty {
    fault: Fault,
    at: usize,
    steps: AtomicUsize,
    /// The bytes of each file that were synced, as a power cut would leave them.
    synced: Mutex<Vec<(PathBuf, u64)>>,
    /// The journal as it was synced last.
    journal: Mutex<Option<Vec<u8>>>,
}

struct FaultyJournal {
    disk: Arc<Faulty>,
    path: PathBuf,
    file: Box<dyn JournalFile>,
}

struct FaultyFile {
    disk: Arc<Faulty>,
    path: PathBuf,
    file: Box<dyn SegmentFile>,
}

/// The disk as the trail sees it.
struct Handle(Arc<Faulty>);

impl Faulty {
    fn step(&self) -> io::Result<()> {
        if self.steps.fetch_add(1, Ordering::SeqCst) == self.at {
            return Err(self.fault.error());
        }
        Ok(())
    }

    fn note_synced(&self, path: &Path) {
        let length = fs::metadata(path).unwrap().len();
        let mut synced = self.synced.lock().unwrap();
        synced.retain(|(known, _)| known != path);
        synced.push((path.to_owned(), length));
    }
}

impl Handle {
    fn wrap(&self, path: &Path, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        self.0.note_synced(path);
        Box::new(FaultyFile {
            disk: self.0.clone(),
            path: path.to_owned(),
            file,
        })
    }
}

impl Disk for Handle {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.step()?;
        LocalDisk.create_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        self.0.step()?;
        Ok(self.wrap(path, LocalDisk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        self.0.step()?;
        Ok(self.wrap(path, LocalDisk.open(path)?))
    }

    fn settle(&self, path: &Path, length: u64) -> io::Result<()> {
        self.0.step()?;
        LocalDisk.settle(path, length)
    }

    fn journal(&self, path: &Path, length: u64) -> io::Result<Box<dyn JournalFile>> {
        self.0.step()?;
        let file = LocalDisk.journal(path, length)?;
        Ok(Box::new(FaultyJournal {
            disk: self.0.clone(),
            path: path.to_owned(),
            file,
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.step()?;
        LocalDisk.remove(path)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.0.step()
    }
}

impl SegmentFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (self.disk.step(), self.disk.fault) {
            (Ok(()), _) => self.file.write(bytes),
            (Err(_), Fault::Nothing) => Ok(0),
            (Err(_), Fault::Torn) => self.file.write(&bytes[..bytes.len() / 2]),
            (Err(error), _) => Err(error),
        }
        .and_then(|written| {
            let torn = self.disk.fault == Fault::Torn;
            // The step after the torn one fails too.
            if torn && self.disk.steps.load(Ordering::SeqCst) == self.disk.at + 2 {
                return Err(Fault::Full.error());
            }
            Ok(written)
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.step()?;
        self.disk.note_synced(&self.path);
        Ok(())
    }

    fn check(&mut self) -> io::Result<()> {
        self.disk.step()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.step()?;
        self.file.truncate(length)
    }
}

impl JournalFile for FaultyJournal {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.disk.step() {
            let some = match self.disk.fault {
                Fault::Torn => &bytes[..bytes.len() / 2],
                _ => &[],
            };
            self.file.write_at(some, offset)?;
            return Err(error);
        }
        self.file.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.step()?;
        let synced = fs::read(&self.path).unwrap();
        *self.disk.journal.lock().unwrap() = Some(synced);
        Ok(())
    }
}

fn faulty(dir: &Path, fault: Fault, at: usize) -> (TrailSettings, Arc<Faulty>) {
    let disk = Arc::new(Faulty {
        fault,
        at,
        steps: AtomicUsize::new(0),
        synced: Mutex::new(Vec::new()),
        journal: Mutex::default(),
    });
    let mut settings = settings(dir);
    settings.segment_max_bytes = 2500;
    // Room for two records or so.
    settings.journal_bytes = Some(2000);
    settings.disk = Arc::new(Handle(disk.clone()));
    (settings, disk)
}

/// Appends until the trail refuses; gives the receipts, and why it refused.
async fn append_until_refused(trail: &Trail, from: usize) -> (Vec<AuditReceipt>, Option<String>) {
    let mut receipts = Vec::new();
    for number in from..from + 12 {
        match trail.append(event(number)).await {
            Ok(receipt) => receipts.push(receipt),
            Err(error) => return (receipts, Some(error.to_string())),
        }
    }
    (receipts, None)
}

fn assert_kept(dir: &Path, receipts: &[AuditReceipt]) {
    let numbers: Vec<_> = TrailReader::open(dir)
        .unwrap()
        .map(Result::unwrap)
        .filter(|record| record.action == "admin.request")
        .map(|record| (record.sequence, record.facts["number"].clone()))
        .collect();
    for (number, receipt) in receipts.iter().enumerate() {
        assert!(
            numbers.contains(&(receipt.sequence, number.to_string())),
            "{receipt:?}"
        );
    }
}

#[tokio::test]
async fn each_step_failed_in_turn_loses_nothing_acknowledged() {
    let faults = [
        Fault::Io,
        Fault::Full,
        Fault::ReadOnly,
        Fault::Torn,
        Fault::Nothing,
    ];
    for fault in faults {
        for at in 0.. {
            let dir = quick_dir();
            let dir = dir.path().join("made/by/open");
            let dir = dir.as_path();
            let (settings, disk) = faulty(dir, fault, at);
            let trail = match Trail::open(settings) {
                Ok((trail, _)) => trail,
                Err(OpenError::Io { .. }) => continue,
                Err(other) => panic!("{other}"),
            };
            let (receipts, refused) = append_until_refused(&trail, 0).await;
            if disk.steps.load(Ordering::SeqCst) <= at {
                assert_eq!(refused, None);
                break;
            }
            if let Some(why) = refused {
                assert!(why.contains("restart the server"), "{why}");
                assert!(!trail.writable());
                let steps = disk.steps.load(Ordering::SeqCst);
                trail.append(event(99)).await.unwrap_err();
                assert_eq!(disk.steps.load(Ordering::SeqCst), steps, "no second try");
            }
            drop(trail);
            assert_opens(dir, &receipts);
            // As a power cut leaves it before the trail was closed.
            let journal = disk.journal.lock().unwrap().clone();
            if let Some(bytes) = journal {
                fs::write(dir.join("trail.journal"), bytes).unwrap();
            }
            for (path, synced) in disk.synced.lock().unwrap().clone() {
                assert_survives_power_cuts(dir, &path, synced as usize, &receipts);
            }
        }
    }
}

fn assert_opens(dir: &Path, receipts: &[AuditReceipt]) {
    let copy = quick_dir();
    let journal = Some(dir.join("trail.journal")).filter(|path| path.exists());
    let copied = segments(dir).into_iter().chain(journal).map(|segment| {
        let to = copy.path().join(segment.file_name().unwrap());
        fs::copy(&segment, to).unwrap()
    });
    copied.for_each(drop);
    drop(support::open_hastily(copy.path()).unwrap());
    check(copy.path()).unwrap();
    assert_kept(copy.path(), receipts);
}

/// Cuts what was not synced, here and there.
fn assert_survives_power_cuts(dir: &Path, path: &Path, synced: usize, receipts: &[AuditReceipt]) {
    let whole = fs::read(path).unwrap();
    for length in (synced..whole.len()).step_by(97) {
        fs::write(path, &whole[..length]).unwrap();
        assert_opens(dir, receipts);
    }
    fs::write(path, &whole).unwrap();
}

#[tokio::test]
async fn a_repair_that_fails_refuses_and_a_second_try_mends() {
    for at in 0.. {
        let dir = quick_dir();
        support::trail_of(dir.path(), 3, u64::MAX).await;
        let path = segments(dir.path()).remove(0);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 10]).unwrap();
        let (mut settings, disk) = faulty(dir.path(), Fault::Io, at);
        settings.segment_max_bytes = u64::MAX;
        let opened = Trail::open(settings);
        let failed = disk.steps.load(Ordering::SeqCst) > at;
        assert_eq!(opened.is_err(), failed);
        drop(opened);
        drop(open(dir.path()));
        assert!(check(dir.path()).unwrap().records >= 2);
        if !failed {
            break;
        }
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_deleted_segment() {
    let dir = quick_dir();
    let (trail, _) = Trail::open(settings(dir.path())).unwrap();
    trail.append(event(0)).await.unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    let (receipts, refused) = append_until_refused(&trail, 1).await;
    assert_eq!(receipts, []);
    let why = refused.unwrap();
    assert!(
        why.contains("deleted") && why.contains("restart the server"),
        "{why}"
    );
    assert!(!trail.writable());
}

#[derive(Default)]
struct Alarm(Mutex<Vec<String>>);

impl TrailObserver for Alarm {
    fn synced(&self, _records: usize, _write: Duration, _sync: Duration) {}

    fn poisoned(&self, why: &str) {
        self.0.lock().unwrap().push(why.to_owned());
    }

    fn stalled(&self, _stalled: bool) {}
}

#[tokio::test]
async fn the_alarm_is_raised_once_and_all_waiting_are_told() {
    let dir = quick_dir();
    // Steps: journal, directory's sync, segment, directory's sync, write, sync.
    let (mut settings, _disk) = faulty(dir.path(), Fault::Io, 5);
    settings.journal_bytes = Some(1 << 20);
    let alarm = Arc::new(Alarm::default());
    settings.observer = alarm.clone();
    let (trail, _) = Trail::open(settings).unwrap();
    let waiting: Vec<_> = (0..50).map(|number| trail.append(event(number))).collect();
    for future in waiting {
        future.await.unwrap_err();
    }
    drop(trail);
    let told = alarm.0.lock().unwrap();
    let place = dir.path().to_str().unwrap();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("writing to the journal") && told[0].contains(place),
        "{}",
        told[0]
    );
}
