//! What becomes of segments with time: index, archive, removal.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    ports::{AuditLog, AuditUnavailable},
};

use crate::{
    archive::{Archive, ArchiveError, Put, blocking},
    notary::{CHECKPOINTS, PUBLIC_KEY},
    segment::{Segment, firsts, list},
    sidecar::{self, HASHES, INDEX, Index, make_missing},
    trail::Progress,
};

/// The file that keeps every segment from being removed; its text says why.
pub const LEGAL_HOLD: &str = "legal-hold";

const DAY: i64 = 24 * 3600 * 1000;

/// How long segments are kept, and where.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// The trail's directory.
    pub dir: PathBuf,
    /// Where sealed segments are put; none keeps them here only.
    pub archive: Option<Archive>,
    /// Days a segment stays here once it is archived.
    pub hot_days: u32,
    /// Days after which a segment is removed everywhere.
    pub retention_days: u32,
    /// The trail, where this process writes it: what it still knows of its
    /// segments is not read again.
    pub written: Option<Progress>,
}

/// What a round of keeping did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Segments whose index and hashes were made.
    pub indexed: usize,
    /// Segments put into the archive.
    pub archived: usize,
    /// Segments removed here.
    pub removed_here: usize,
    /// Segments removed from the archive.
    pub removed_archived: usize,
    /// Whether a legal hold keeps everything.
    pub held: bool,
}

/// Why a round of keeping stopped; what it did so far stands.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The directory can't be used.
    #[error("the trail's directory can't be kept: {0}")]
    Io(#[from] io::Error),
    /// What was done could not be recorded, so it was not done.
    #[error(transparent)]
    Unrecorded(#[from] AuditUnavailable),
}

impl Keeper {
    /// How many segments there are that nothing more is written to.
    ///
    /// # Errors
    ///
    /// When the directory can't be read.
    pub fn sealed(&self) -> io::Result<usize> {
        Ok(list(&self.dir)?.len().saturating_sub(1))
    }

    /// Looks after the segments once: makes their indexes, archives them, and
    /// removes those whose time is over. Every removal is recorded before.
    ///
    /// # Errors
    ///
    /// [`KeepError`]; the next round tries again.
    pub async fn keep(&self, now: Timestamp, log: &dyn AuditLog) -> Result<Kept, KeepError> {
        let mut kept = Kept::default();
        let dir = self.dir.clone();
        let known = self.written.as_ref().map(Progress::take_gists);
        let (sealed, indexed) = blocking(move || {
            let mut segments = list(&dir)?;
            segments.pop();
            let indexed = make_missing(&dir, &segments, known.unwrap_or_default())?;
            Ok((segments, indexed))
        })
        .await?;
        kept.indexed = indexed;
        let archived = match &self.archive {
            Some(archive) => {
                kept.archived = self.fill(archive, &sealed, now, log).await?;
                archive.firsts().await?
            }
            None => Vec::new(),
        };
        kept.held = hold(&self.dir).is_some();
        if !kept.held {
            kept.removed_here = self.cool(&sealed, now, log).await?;
            kept.removed_archived = self.expire(&archived, now, log).await?;
        }
        Ok(kept)
    }

    fn index(&self, first: u64) -> Option<Index> {
        Index::open(&self.dir, first)
    }

    /// Looks whether a segment is what it was when it was indexed: what the
    /// archive holds is compared with it.
    async fn confirm(&self, segment: &Segment) -> Result<(), ArchiveError> {
        let (dir, segment) = (self.dir.clone(), segment.clone());
        blocking(move || sidecar::confirm(&dir, &segment)).await
    }

    /// Puts what is not yet in the archive there.
    async fn fill(
        &self,
        archive: &Archive,
        sealed: &[Segment],
        now: Timestamp,
        log: &dyn AuditLog,
    ) -> Result<usize, KeepError> {
        let there = archive.firsts().await?;
        let mut put = 0;
        for segment in sealed {
            if there.binary_search(&segment.first).is_ok() {
                continue;
            }
            let Some(index) = self.index(segment.first) else {
                continue;
            };
            self.confirm(segment).await?;
            let Put { length, content } = archive.put(segment).await?;
            let mut event = AuditEvent::outcome(now, Action::TrailArchive, Outcome::Success);
            event.facts = vec![
                ("segment", segment.name()),
                ("records", index.records.to_string()),
                ("bytes", content.bytes.to_string()),
                ("compressed", length.to_string()),
                ("sha256", content.hash.to_string()),
            ];
            log.append(event).await?;
            put += 1;
        }
        Ok(put)
    }

    /// Removes here what is archived and has been here long enough.
    async fn cool(
        &self,
        sealed: &[Segment],
        now: Timestamp,
        log: &dyn AuditLog,
    ) -> Result<usize, KeepError> {
        let days = match self.archive {
            Some(_) => self.hot_days.min(self.retention_days),
            None => self.retention_days,
        };
        let due = self.due(sealed.iter().map(|segment| segment.first), days, now);
        if let Some(archive) = &self.archive {
            for index in &due {
                let segment = Segment::new(&self.dir, index.first);
                self.confirm(&segment).await?;
                archive.check(&segment).await?;
            }
        }
        if due.is_empty() {
            return Ok(0);
        }
        self.record_purge("here", &due, now, log).await?;
        for index in &due {
            fs::remove_file(Segment::new(&self.dir, index.first).path)?;
            if self.archive.is_none() {
                remove_index(&self.dir, index.first)?;
            }
        }
        sync(&self.dir)?;
        Ok(due.len())
    }

    /// Removes from the archive what is older than anyone must keep it.
    async fn expire(
        &self,
        archived: &[u64],
        now: Timestamp,
        log: &dyn AuditLog,
    ) -> Result<usize, KeepError> {
        let Some(archive) = &self.archive else {
            return Ok(0);
        };
        let due = self.due(archived.iter().copied(), self.retention_days, now);
        self.record_purge("archive", &due, now, log).await?;
        for index in &due {
            archive.remove(index.first).await?;
            remove_index(&self.dir, index.first)?;
        }
        Ok(due.len())
    }

    /// The segments whose last record is older than some days, oldest first;
    /// ends with the first that is not, so that what is left is one piece.
    fn due(&self, firsts: impl Iterator<Item = u64>, days: u32, now: Timestamp) -> Vec<Index> {
        let limit = now.as_millisecond().saturating_sub(i64::from(days) * DAY);
        firsts
            .map_while(|first| self.index(first).filter(|index| index.times.1 < limit))
            .collect()
    }

    async fn record_purge(
        &self,
        place: &'static str,
        due: &[Index],
        now: Timestamp,
        log: &dyn AuditLog,
    ) -> Result<(), KeepError> {
        let (Some(first), Some(last)) = (due.first(), due.last()) else {
            return Ok(());
        };
        let mut event = AuditEvent::outcome(now, Action::TrailPurge, Outcome::Success);
        event.facts = vec![
            ("where", place.to_owned()),
            ("from", first.first.to_string()),
            ("through", (last.tree.size() - 1).to_string()),
            ("segments", due.len().to_string()),
        ];
        log.append(event).await?;
        Ok(())
    }
}

/// Why nothing may be removed now, where a legal hold says so.
#[must_use]
pub fn hold(dir: &Path) -> Option<String> {
    match fs::read_to_string(dir.join(LEGAL_HOLD)) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        // A hold that can't be read still holds.
        Err(error) => Some(error.to_string()),
    }
}

fn remove_index(dir: &Path, first: u64) -> io::Result<()> {
    match fs::remove_file(sidecar::path(dir, first, INDEX)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Brings archived segments back into a directory of their own, with what is
/// needed to verify them there; gives the first records of those brought.
///
/// `from` and `until` choose by the time of the records, where it is known.
///
/// # Errors
///
/// [`KeepError`] when the archive or a directory fails.
pub async fn restore(
    dir: &Path,
    archive: &Archive,
    into: &Path,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Vec<u64>, KeepError> {
    fs::create_dir_all(into)?;
    let wanted = |first: &u64| {
        Index::open(dir, *first).is_none_or(|index| {
            from.is_none_or(|from| index.times.1 >= from.as_millisecond())
                && until.is_none_or(|until| index.times.0 < until.as_millisecond())
        })
    };
    let mut brought = Vec::new();
    for first in archive.firsts().await?.into_iter().filter(wanted) {
        let bytes = archive.get(first).await?;
        sidecar::write_whole(&Segment::new(into, first).path, &bytes)?;
        brought.push(first);
    }
    copy_proofs(dir, into)?;
    Ok(brought)
}

/// Copies the hashes and checkpoints of a trail.
fn copy_proofs(dir: &Path, into: &Path) -> io::Result<()> {
    if dir == into || !dir.is_dir() {
        return Ok(());
    }
    for first in firsts(dir, HASHES)? {
        let to = sidecar::path(into, first, HASHES);
        fs::copy(sidecar::path(dir, first, HASHES), to)?;
    }
    for name in [CHECKPOINTS, PUBLIC_KEY] {
        if dir.join(name).exists() {
            fs::copy(dir.join(name), into.join(name))?;
        }
    }
    Ok(())
}
