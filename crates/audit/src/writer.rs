//! The one thread that writes.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hallpass_core::{Timestamp, ports::Clock};

use crate::{
    chain::{Chain, Link},
    disk::{Disk, SegmentFile, write_all},
    feed::Feed,
    gather::Gather,
    gist::{Gist, Gists},
    journal::{JOURNAL, Journal},
    line::Sealer,
    lock::DirLock,
    marks::Marks,
    primary::{Anchor, Committing, Primary},
    queue::{Load, Queue, Undone},
    segment::Segment,
    trail::TrailObserver,
};

/// Seals records and appends them to the segments.
pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) segment_max_bytes: u64,
    pub(crate) segment_max_age: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sealer: Sealer,
    pub(crate) chain: Chain,
    pub(crate) current: Option<Current>,
    /// Where records are durable before their segment is.
    pub(crate) journal: Option<Journal>,
    pub(crate) observer: Arc<dyn TrailObserver>,
    pub(crate) lines: Vec<u8>,
    /// The number of the first record that is not durable yet.
    pub(crate) durable: Arc<AtomicU64>,
    /// Where it is told what became durable.
    pub(crate) feed: Arc<Feed>,
    /// Where it leaves what it knows of the segments it sealed.
    pub(crate) gists: Arc<Gists>,
    /// Held as long as this may write.
    pub(crate) lock: DirLock,
    /// Where records are durable, if not here, and where the trail stands there.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// The store that keeps the records of a working copy.
pub(crate) struct Elsewhere {
    pub(crate) primary: Box<dyn Primary>,
    pub(crate) anchor: Anchor,
}

impl Elsewhere {
    fn commit(
        &mut self,
        lines: &[u8],
        links: &[Link],
        closing: &dyn Fn() -> bool,
    ) -> Result<(), Fault> {
        let mut after = self.anchor.clone();
        for link in links {
            after.tree.push(link.hash);
            after.head = Some(*link);
        }
        let batch = Committing {
            lines,
            before: self.anchor.head,
            after: &after,
        };
        let committed = self.primary.commit(&batch, closing);
        committed.map_err(|source| Fault {
            step: "writing to",
            place: "the store of the trail".to_owned(),
            source,
        })?;
        self.anchor = after;
        Ok(())
    }
}

/// The segment being written.
pub(crate) struct Current {
    pub(crate) segment: Segment,
    pub(crate) file: Box<dyn SegmentFile>,
    pub(crate) length: u64,
    /// When its first record was written.
    pub(crate) since: Timestamp,
    /// What it holds, where all of it was written here.
    pub(crate) gist: Option<Gist>,
}

/// A step at the disk that failed.
#[derive(Debug, thiserror::Error)]
#[error("{step} {place} failed: {source}")]
pub(crate) struct Fault {
    step: &'static str,
    place: String,
    source: io::Error,
}

impl Writer {
    /// Writes a load and makes it durable; gives the number of its first record.
    pub(crate) fn commit(
        &mut self,
        load: &mut Load,
        closing: &dyn Fn() -> bool,
    ) -> Result<u64, Fault> {
        let first = self.chain.next();
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        let mut sealed = Chain {
            head: self.chain.head,
            uid: None,
        };
        let mut links = Vec::with_capacity(load.ends.len());
        for body in load.bodies() {
            let link = self.sealer.seal(&mut lines, body, &sealed);
            sealed.head = Some(link);
            links.push(link);
        }
        let start = Instant::now();
        let kept = match &mut self.elsewhere {
            Some(elsewhere) => elsewhere.commit(&lines, &links, closing),
            None => Ok(()),
        };
        let written = kept.and_then(|()| self.append(first, &lines, load.ends.len(), start));
        self.lines = lines;
        written?;
        self.chain.head = sealed.head;
        self.note(&links, &load.marks);
        // Before the number: who sees it finds what was told.
        self.feed.tell(&links, load.events.drain(..));
        self.durable.store(self.chain.next(), Ordering::Release);
        Ok(first)
    }

    /// Notes what the current segment got.
    fn note(&mut self, links: &[Link], marks: &[Marks]) {
        let current = self.current.as_mut();
        if let Some(gist) = current.and_then(|current| current.gist.as_mut()) {
            for (link, marks) in links.iter().zip(marks) {
                gist.add(link.hash, marks);
            }
        }
    }

    fn append(
        &mut self,
        first: u64,
        lines: &[u8],
        records: usize,
        start: Instant,
    ) -> Result<(), Fault> {
        let bytes = lines.len() as u64;
        // A working copy need not outlive its machine.
        let is_copy = self.elsewhere.is_some();
        let kept = start.elapsed();
        let mut current = self.segment_for(first, bytes)?;
        if let Some(journal) = &mut self.journal
            && !journal.has_room(bytes)
        {
            current.settle(journal)?;
        }
        let start = Instant::now();
        let journal = self.journal.as_mut().filter(|it| it.has_room(bytes));
        let (write, sync) = match journal {
            _ if is_copy => (current.write(lines)?, kept),
            // First here, so that the segment has nothing the journal has not.
            Some(journal) => {
                journal
                    .keep(lines)
                    .map_err(|e| self.fault("writing to the journal in", e))?;
                let kept = start.elapsed();
                let write = current.write(lines)?;
                current.check()?;
                (write, kept)
            }
            None => (current.write(lines)?, current.sync()?),
        };
        self.current = Some(current);
        self.observer.synced(records, write, sync);
        Ok(())
    }

    /// The segment for the next records, as long as they need it.
    fn segment_for(&mut self, first: u64, bytes: u64) -> Result<Current, Fault> {
        let now = self.clock.now();
        let Some(mut current) = self.current.take() else {
            return self.begin_segment(first);
        };
        let young = now.duration_since(current.since).unsigned_abs() < self.segment_max_age;
        let fits = current.length + bytes <= self.segment_max_bytes;
        if current.length == 0 || (fits && young) {
            return Ok(current);
        }
        if let Some(journal) = &mut self.journal {
            current.settle(journal)?;
        }
        let next = self.begin_segment(first)?;
        // Not before: the last segment of a directory counts as not sealed.
        if let Some(gist) = current.gist.take() {
            self.gists.put(Gist {
                bytes: current.length,
                ..gist
            });
        }
        Ok(next)
    }

    fn begin_segment(&self, first: u64) -> Result<Current, Fault> {
        let segment = Segment::new(&self.dir, first);
        let fault = |step| {
            let place = segment.path.display().to_string();
            move |source| Fault {
                step,
                place,
                source,
            }
        };
        let file = self.disk.create(&segment.path).map_err(fault("making"))?;
        let synced = self.disk.sync_dir(&self.dir);
        synced.map_err(fault("syncing the directory of"))?;
        Ok(Current {
            segment,
            file,
            length: 0,
            since: self.clock.now(),
            gist: Some(Gist::begin(first)),
        })
    }

    /// Writes what comes until the queue is closed or the disk fails.
    pub(crate) fn run(mut self, queue: &Arc<Queue>, window: Duration) {
        let guard = BreakOff(queue.clone());
        let mut load = Load::default();
        let mut gather = Gather::within(window);
        while let Some((batch, company)) = queue.take(&mut load, &gather) {
            gather.learn(load.ends.len(), company);
            match self.commit(&mut load, &|| queue.is_closed()) {
                Ok(first) => batch.finish(Ok(first)),
                Err(fault) => {
                    let why = self.give_up(queue, &fault);
                    batch.finish(Err(Undone::Broken(why)));
                    break;
                }
            }
        }
        if queue.is_whole()
            && let Err(fault) = self.finish()
        {
            // The next start takes from the journal what the segment lacks.
            tracing::error!(directory = %self.dir.display(), "audit trail: {fault}");
        }
        drop(guard);
        drop(self.lock);
    }

    /// Leaves nothing that only the journal holds, and no journal.
    fn finish(&mut self) -> Result<(), Fault> {
        let Some(mut journal) = self.journal.take() else {
            return Ok(());
        };
        if let Some(current) = &mut self.current {
            current.settle(&mut journal)?;
        }
        let removed = self.disk.remove(&self.dir.join(JOURNAL));
        removed.map_err(|source| self.fault("removing the journal in", source))
    }

    fn fault(&self, step: &'static str, source: io::Error) -> Fault {
        Fault {
            step,
            place: self.dir.display().to_string(),
            source,
        }
    }

    fn give_up(&self, queue: &Queue, fault: &Fault) -> Arc<str> {
        let why: Arc<str> = format!(
            "{fault}. No more records are taken, so no credentials are issued. Free or repair the disk, run `hallpass audit verify`, then restart the server."
        )
        .into();
        tracing::error!(directory = %self.dir.display(), "audit trail: {why}");
        queue.break_off(&why);
        self.observer.poisoned(&why);
        why
    }
}

impl Current {
    /// Appends some lines; how long it took.
    fn write(&mut self, lines: &[u8]) -> Result<Duration, Fault> {
        let start = Instant::now();
        let written = write_all(&mut *self.file, lines);
        written.map_err(|source| self.fault("writing to", source))?;
        self.length += lines.len() as u64;
        Ok(start.elapsed())
    }

    /// Makes all of it durable; how long it took.
    fn sync(&mut self) -> Result<Duration, Fault> {
        let start = Instant::now();
        let synced = self.file.sync();
        synced.map_err(|source| self.fault("syncing", source))?;
        Ok(start.elapsed())
    }

    /// Makes all of it durable, so that the journal may begin again.
    fn settle(&mut self, journal: &mut Journal) -> Result<(), Fault> {
        self.sync()?;
        journal.restart();
        Ok(())
    }

    fn check(&mut self) -> Result<(), Fault> {
        let checked = self.file.check();
        checked.map_err(|source| self.fault("looking for", source))
    }

    fn fault(&self, step: &'static str, source: io::Error) -> Fault {
        Fault {
            step,
            place: self.segment.path.display().to_string(),
            source,
        }
    }
}

/// Leaves nobody waiting when the writer ends, however it ends.
struct BreakOff(Arc<Queue>);

impl Drop for BreakOff {
    fn drop(&mut self) {
        if self.0.is_whole() {
            self.0.break_off(&"the trail's writer has ended".into());
        }
        self.0.end();
    }
}
