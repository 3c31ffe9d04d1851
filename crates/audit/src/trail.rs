//! The trail as the server uses it.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome, Phase},
    ports::{AuditLog, AuditReceipt, AuditUnavailable, Clock, OwnedFuture},
};

use crate::{
    disk::{Disk, LocalDisk},
    encode::{TooLarge, encode, in_room},
    feed::{Ear, Feed},
    gist::{Gist, Gists},
    journal::{Beyond, Journal},
    line::Sealer,
    lock::DirLock,
    marks::Marks,
    ocsf::Kind,
    primary::{Anchor, Primary},
    queue::{Load, Queue, held},
    recover::{Cut, Found, OpenError, Recovery, inspect, mend, restore},
    segment::{Lines, Segment},
    stall::StallWatch,
    stored::StoredRecord,
    writer::{Current, Elsewhere, Writer},
};

/// Is told how the trail does; the server makes metrics of it.
pub trait TrailObserver: Send + Sync {
    /// Some records became durable together: how long writing and syncing took.
    fn synced(&self, records: usize, write: Duration, sync: Duration);

    /// The trail takes no more records, and why.
    fn poisoned(&self, why: &str);

    /// The disk stopped answering, or answers again.
    fn stalled(&self, stalled: bool);
}

/// Looks away.
struct NoObserver;

impl TrailObserver for NoObserver {
    fn synced(&self, _records: usize, _write: Duration, _sync: Duration) {}

    fn poisoned(&self, _why: &str) {}

    fn stalled(&self, _stalled: bool) {}
}

/// How a trail is kept.
#[derive(Clone)]
pub struct TrailSettings {
    /// The directory of the segments.
    pub dir: PathBuf,
    /// The size at which the next segment begins, in bytes.
    pub segment_max_bytes: u64,
    /// The age at which the next segment begins, with the next record.
    pub segment_max_age: Duration,
    /// How long a record may wait for others before they are synced together.
    ///
    /// Only waited for when records lately came together, and only until as
    /// many are there again.
    pub gather_window: Duration,
    /// The length of the journal, in bytes: so much of the last segment may be
    /// durable there only. None makes each segment durable at once.
    pub journal_bytes: Option<u64>,
    /// How long the disk may keep records waiting before their callers are told
    /// that it does not answer; found out after at most a quarter more.
    pub patience: Duration,
    /// Tells the time of the trail's own records.
    pub clock: Arc<dyn Clock>,
    /// The version of Hallpass, as records name it.
    pub version: String,
    /// Is told of every sync.
    pub observer: Arc<dyn TrailObserver>,
    /// The file operations.
    pub disk: Arc<dyn Disk>,
}

impl TrailSettings {
    /// The defaults: segments of 64 MiB or a day, a window of 1 ms, a journal of
    /// 1 MiB, a disk that may take 2 s, the local one.
    pub fn new(dir: impl Into<PathBuf>, clock: Arc<dyn Clock>, version: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            segment_max_bytes: 64 << 20,
            segment_max_age: Duration::from_secs(24 * 3600),
            gather_window: Duration::from_millis(1),
            journal_bytes: Some(1 << 20),
            patience: Duration::from_secs(2),
            clock,
            version: version.into(),
            observer: Arc::new(NoObserver),
            disk: Arc::new(LocalDisk),
        }
    }
}

/// An open trail. Dropping it writes what waits, then lets the directory go.
pub struct Trail {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    progress: Progress,
}

/// How far a trail is durable; the parts that follow it read this.
#[derive(Debug, Clone)]
pub struct Progress {
    durable: Arc<AtomicU64>,
    chain_uid: Arc<str>,
    feed: Arc<Feed>,
    gists: Arc<Gists>,
}

impl Progress {
    /// The number of the first record that is not durable yet.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The trail's own id.
    #[must_use]
    pub fn chain_uid(&self) -> &str {
        &self.chain_uid
    }

    /// Takes what is still known of segments that were sealed lately.
    pub(crate) fn take_gists(&self) -> VecDeque<Gist> {
        self.gists.take()
    }

    /// Hears what becomes durable from now on.
    pub(crate) fn listen(&self) -> Ear {
        self.feed.listen()
    }
}

impl Trail {
    /// Opens the trail of a directory, making it if there is none.
    ///
    /// A torn tail is cut, and the cut recorded, before this returns.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process holds the directory, the trail is
    /// damaged, or the disk fails.
    pub fn open(settings: TrailSettings) -> Result<(Self, Recovery), OpenError> {
        Self::open_with(settings, None)
    }

    /// Opens a trail whose records are durable elsewhere, where it stands there.
    /// The directory becomes its working copy and begins anew.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process holds the directory, it is the home
    /// of a trail, or the disk fails.
    pub fn open_elsewhere(
        settings: TrailSettings,
        primary: Box<dyn Primary>,
        anchor: Anchor,
    ) -> Result<(Self, Recovery), OpenError> {
        Self::open_with(settings, Some(Elsewhere { primary, anchor }))
    }

    fn open_with(
        settings: TrailSettings,
        elsewhere: Option<Elsewhere>,
    ) -> Result<(Self, Recovery), OpenError> {
        let (dir, clock) = (settings.dir.clone(), settings.clock.clone());
        let (window, patience) = (settings.gather_window, settings.patience);
        make_dir(&*settings.disk, &dir)?;
        let lock = DirLock::take(&dir).map_err(|error| OpenError::lock(error, &dir))?;
        if let Some(elsewhere) = &elsewhere {
            let begun = elsewhere.anchor.begin(&dir);
            begun.map_err(OpenError::io("beginning the working copy in", &dir))?;
        } else if let Ok(Some(_)) = Anchor::of(&dir) {
            let source = io::Error::other(
                "it is the working copy of a trail that is elsewhere; name another directory in audit.dir",
            );
            return Err(OpenError::io("opening", &dir)(source));
        }
        let found = inspect(&dir)?;
        let recovery = Recovery {
            last_sequence: found.chain.head.map(|head| head.sequence),
            cut: found.cut.clone(),
            restored: found.beyond.records,
        };
        let mut writer = writer(settings, found, lock, elsewhere)?;
        if let Some(cut) = &recovery.cut {
            record_cut(&mut writer, &*clock, cut)
                .map_err(OpenError::io("recording the cut in", &dir))?;
        }
        let trail = Self::start(writer, window, patience)
            .map_err(OpenError::io("starting the writer of", &dir))?;
        Ok((trail, recovery))
    }

    fn start(writer: Writer, window: Duration, patience: Duration) -> io::Result<Self> {
        let progress = Progress {
            durable: writer.durable.clone(),
            chain_uid: writer.chain.uid.as_deref().unwrap_or_default().into(),
            feed: writer.feed.clone(),
            gists: writer.gists.clone(),
        };
        let queue = Arc::new(Queue::default());
        let watch = StallWatch::new(queue.clone(), patience, writer.observer.clone());
        let theirs = queue.clone();
        let writing = thread::Builder::new()
            .name("audit-writer".to_owned())
            .spawn(move || writer.run(&theirs, window))?;
        let watching = thread::Builder::new()
            .name("audit-watch".to_owned())
            .spawn(move || watch.run())?;
        Ok(Self {
            queue,
            threads: Mutex::new(vec![writing, watching]),
            progress,
        })
    }

    /// How far it is durable, now and later.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Takes no more records and returns when those in line are written.
    pub fn close(&self) {
        self.queue.close();
        for thread in held(&self.threads).drain(..) {
            // A writer that panicked has told those who waited.
            let _ = thread.join();
        }
    }

    fn enqueue(
        &self,
        event: AuditEvent,
    ) -> Result<
        impl Future<Output = Result<AuditReceipt, AuditUnavailable>> + use<>,
        AuditUnavailable,
    > {
        let kind = Kind::of(&event);
        let marks = Marks::of(kind, &event);
        in_room(|body| {
            encode(body, kind, &event).map_err(|TooLarge| {
                AuditUnavailable::Refused("the record is longer than 1 MiB".to_owned())
            })?;
            let told = (event.phase == Phase::Outcome).then_some(event);
            self.queue.push(body, marks, told)
        })
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.close();
    }
}

impl AuditLog for Trail {
    fn append(&self, event: AuditEvent) -> OwnedFuture<Result<AuditReceipt, AuditUnavailable>> {
        match self.enqueue(event) {
            Ok(ticket) => Box::pin(ticket),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn writable(&self) -> bool {
        self.queue.is_whole() && !self.queue.is_stalled()
    }
}

/// Makes the trail's directory, durably, if it is not there.
fn make_dir(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    disk.create_dir(dir).map_err(OpenError::io("making", dir))?;
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    disk.sync_dir(above)
        .map_err(OpenError::io("syncing", above))
}

/// An id for a trail that begins.
#[must_use]
pub fn new_chain_uid(clock: &dyn Clock) -> String {
    let now = clock.now().as_millisecond();
    let seconds = now.div_euclid(1000).unsigned_abs();
    let nanos = u32::try_from(now.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    let time = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
    uuid::Uuid::new_v7(time).to_string()
}

fn writer(
    settings: TrailSettings,
    found: Found,
    lock: DirLock,
    elsewhere: Option<Elsewhere>,
) -> Result<Writer, OpenError> {
    let Found {
        mut chain,
        last,
        cut,
        beyond,
    } = found;
    let uid = chain
        .uid
        .get_or_insert_with(|| new_chain_uid(&*settings.clock))
        .clone();
    let current = match last {
        Some(last) => Some(go_on(&settings, last, cut.as_ref(), &beyond)?),
        None => None,
    };
    // Only now: what the old one held is durable in the segment.
    let length = settings.journal_bytes.filter(|_| elsewhere.is_none());
    let journal = length.map(|length| Journal::begin(&*settings.disk, &settings.dir, length));
    let journal = journal.transpose();
    let journal = journal.map_err(OpenError::io("making the journal in", &settings.dir))?;
    Ok(Writer {
        dir: settings.dir,
        disk: settings.disk,
        segment_max_bytes: settings.segment_max_bytes,
        segment_max_age: settings.segment_max_age,
        clock: settings.clock,
        durable: Arc::new(AtomicU64::new(chain.next())),
        feed: Arc::default(),
        gists: Arc::default(),
        sealer: Sealer::new(&uid, &settings.version),
        chain,
        current,
        journal,
        observer: settings.observer,
        lines: Vec::new(),
        lock,
        elsewhere,
    })
}

/// Opens the last segment to write on, less its torn end, and with what only
/// the journal still had.
fn go_on(
    settings: &TrailSettings,
    (segment, mut length): (Segment, u64),
    cut: Option<&Cut>,
    beyond: &Beyond,
) -> Result<Current, OpenError> {
    let (path, disk) = (segment.path.as_path(), &*settings.disk);
    let mut file = disk.open(path).map_err(OpenError::io("opening", path))?;
    if let Some(cut) = cut {
        mend(&mut *file, path, cut)?;
    }
    if beyond.records > 0 {
        restore(&mut *file, path, length, beyond)?;
        length += beyond.lines.len() as u64;
    }
    let settled = disk.settle(path, length);
    settled.map_err(OpenError::io("making durable", path))?;
    let since = first_time(path).unwrap_or_else(|| settings.clock.now());
    Ok(Current {
        segment,
        file,
        length,
        since,
        // What an earlier process wrote to it is not known.
        gist: None,
    })
}

/// When a segment's first record was written; none in an empty segment.
fn first_time(path: &Path) -> Option<Timestamp> {
    let mut lines = Lines::open(path).ok()?;
    let line = lines.next().ok()??.ok()?;
    Some(StoredRecord::read(line).ok()?.time)
}

fn record_cut(writer: &mut Writer, clock: &dyn Clock, cut: &Cut) -> io::Result<()> {
    let event = cut_event(clock.now(), cut);
    let mut body = Vec::new();
    encode(&mut body, Kind::REPAIR, &event)
        .map_err(|TooLarge| io::Error::other("the record is too long"))?;
    let mut load = Load {
        ends: vec![body.len()],
        marks: vec![Marks::of(Kind::REPAIR, &event)],
        bodies: body,
        ..Load::default()
    };
    writer
        .commit(&mut load, &|| false)
        .map(drop)
        .map_err(io::Error::other)
}

fn cut_event(now: Timestamp, cut: &Cut) -> AuditEvent {
    // The action is the repair's, whose name the kind gives.
    let mut event = AuditEvent::outcome(now, Action::ServerStart, Outcome::Success);
    event.facts = vec![
        ("segment", cut.segment.clone()),
        ("offset", cut.offset.to_string()),
        ("bytes", cut.bytes.to_string()),
        ("sha256", cut.hash.to_string()),
        ("flaw", cut.flaw.to_string()),
    ];
    event
}
