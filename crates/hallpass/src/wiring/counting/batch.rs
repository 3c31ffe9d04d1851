//! Counts on their way to the usage ledger: each record's once, whatever
//! happens between.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hallpass_audit::RecordSummary;
use hallpass_core::{
    ids::ProfileName,
    pipeline::Broker,
    ports::StoreError,
    usage::{ActivityKey, Counted, Hour, Tally},
};

/// Records without anything to count after which their place is kept all the
/// same, so that a restart does not read them again.
const IDLE_RECORDS: u64 = 20_000;

/// What a range of records told.
#[derive(Debug, Default)]
struct Batch {
    range: Range<u64>,
    counts: HashMap<ActivityKey, Tally>,
}

/// Gathers counts and gives them to the ledger.
pub(super) struct Counter {
    broker: Arc<Broker>,
    trail: String,
    /// What is given next.
    open: Batch,
    /// What was given, and is not known to be kept. It is given again as it
    /// was: the ledger tells by its range whether it has it.
    sent: Option<Batch>,
    /// How many records the ledger has the counts of.
    kept: Arc<AtomicU64>,
}

impl Counter {
    pub(super) fn new(broker: Arc<Broker>, trail: String, kept: Arc<AtomicU64>) -> Self {
        Self {
            broker,
            trail,
            open: Batch::default(),
            sent: None,
            kept,
        }
    }

    /// Learns how far the trail is counted; the first record that is not.
    pub(super) async fn place(&mut self) -> Result<u64, StoreError> {
        let ledger = self.broker.sessions().usage.clone();
        let next = ledger.counted(&self.trail).await?;
        self.open.range = next..next;
        self.kept.store(next, Ordering::Release);
        Ok(next)
    }

    /// Notes that a record was read, and what it counts.
    pub(super) fn note(&mut self, number: u64, told: Option<(&RecordSummary<'_>, &Counted)>) {
        if number < self.open.range.end {
            return;
        }
        self.open.range.end = number + 1;
        if let Some((seen, counted)) = told {
            let key = self.key(seen, counted);
            self.open.counts.entry(key).or_default().add(counted.tally);
        }
    }

    fn key(&self, seen: &RecordSummary<'_>, counted: &Counted) -> ActivityKey {
        let text = |text: &Option<std::borrow::Cow<'_, str>>| {
            text.as_deref().map(str::to_owned).unwrap_or_default()
        };
        let profile = text(&seen.profile);
        let model = self.model(&profile).unwrap_or_default();
        ActivityKey {
            hour: Hour::of(seen.time),
            subject: text(&seen.subject),
            mode: text(&seen.mode),
            model,
            profile,
            source: counted.source,
            happening: counted.happening.clone(),
        }
    }

    /// The model of a profile, as it is configured now: records don't name it.
    fn model(&self, profile: &str) -> Option<String> {
        let profile = ProfileName::new(profile).ok()?;
        let policy = self.broker.policy();
        let profile = policy.profiles.get(&profile)?;
        profile.session.model().map(str::to_owned)
    }

    /// Gives the ledger what was gathered.
    pub(super) async fn give(&mut self) -> Result<(), StoreError> {
        if self.sent.is_none() && self.is_due() {
            let end = self.open.range.end;
            let next = Batch {
                range: end..end,
                // The next is likely as large.
                counts: HashMap::with_capacity(self.open.counts.len()),
            };
            self.sent = Some(std::mem::replace(&mut self.open, next));
        }
        let Some(batch) = &self.sent else {
            return Ok(());
        };
        let ledger = &self.broker.sessions().usage;
        let range = batch.range.clone();
        let end = range.end;
        ledger.count(&self.trail, range, &batch.counts).await?;
        self.kept.store(end, Ordering::Release);
        self.sent = None;
        Ok(())
    }

    fn is_due(&self) -> bool {
        let Range { start, end } = self.open.range;
        !self.open.counts.is_empty() || end - start >= IDLE_RECORDS
    }
}
