//! What the tests of the trail share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: each test takes what it needs, and a failure is a panic"
)]

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use hallpass_audit::{
    Disk, JournalFile, LocalDisk, OpenError, Recovery, SegmentFile, Trail, TrailSettings,
    VerifyError, VerifyReport, verify,
};
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome, Phase, UpstreamFacts},
    caller::{Caller, Scheme},
    grant::{Grant, GrantDraft, GrantState, Mode},
    ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, RoleName, SessionId, Subject},
    ports::{AuditLog, AuditReceipt, Clock},
    request::RequestFacts,
};
use tempfile::TempDir;

/// A clock that stands still.
pub struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(1_795_000_000_123).unwrap()
    }
}

pub fn settings(dir: &Path) -> TrailSettings {
    TrailSettings::new(dir, Arc::new(StillClock), "1.2.3")
}

/// The local disk without its waits, for tests that open a trail very often.
pub struct Hasty;

struct HastyFile(Box<dyn SegmentFile>);

impl Disk for Hasty {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.create_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(HastyFile(LocalDisk.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(HastyFile(LocalDisk.open(path)?)))
    }

    fn settle(&self, _path: &Path, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn journal(&self, path: &Path, _length: u64) -> io::Result<Box<dyn JournalFile>> {
        fs::File::create(path)?;
        Ok(Box::new(HastyFile(LocalDisk.open(path)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl SegmentFile for HastyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
}

impl JournalFile for HastyFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.truncate(offset)?;
        self.0.write(bytes).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A directory in memory where there is one, for tests about what is in the
/// files rather than about the disk.
pub fn quick_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

pub fn open_hastily(dir: &Path) -> Result<(Trail, Recovery), OpenError> {
    let mut settings = settings(dir);
    settings.disk = Arc::new(Hasty);
    Trail::open(settings)
}

pub fn open(dir: &Path) -> (Trail, Recovery) {
    Trail::open(settings(dir)).unwrap()
}

pub fn check(dir: &Path) -> Result<VerifyReport, VerifyError> {
    verify(dir, None, |_| {})
}

/// A small record with a number in it.
pub fn event(number: usize) -> AuditEvent {
    let mut event = AuditEvent::outcome(StillClock.now(), Action::AdminRequest, Outcome::Success);
    event.facts = vec![("number", number.to_string())];
    event
}

/// Appends one after the other and waits for each.
pub async fn append_all(
    trail: &Trail,
    events: impl IntoIterator<Item = AuditEvent>,
) -> Vec<AuditReceipt> {
    let mut receipts = Vec::new();
    for event in events {
        receipts.push(trail.append(event).await.unwrap());
    }
    receipts
}

/// A trail of some small records, closed again.
pub async fn trail_of(dir: &Path, records: usize, segment_max_bytes: u64) {
    let mut settings = settings(dir);
    settings.segment_max_bytes = segment_max_bytes;
    let (trail, _) = Trail::open(settings).unwrap();
    append_all(&trail, (0..records).map(event)).await;
}

/// The segments' paths, oldest first.
pub fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("trail-") && name.ends_with(".jsonl")
        })
        .collect();
    paths.sort();
    paths
}

pub fn request() -> RequestFacts {
    RequestFacts {
        id: RequestId::from_random([3; 16]),
        method: "POST",
        route: "/api/generate-client-secret",
        address: Some("203.0.113.7".parse().unwrap()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0)".to_owned()),
        origin: Some("https://app.example".to_owned()),
    }
}

pub fn caller() -> Caller {
    Caller {
        subject: Subject::new("user-42").unwrap(),
        scheme: Scheme::Jwt,
        credential: CredentialId::new("https://issuer.example").unwrap(),
        roles: vec![RoleName::new("candidate").unwrap()],
        session_id: None,
        tenant: Some(Subject::new("acme").unwrap()),
        issued_at: None,
        expires_at: None,
    }
}

pub fn draft() -> GrantDraft {
    GrantDraft {
        id: GrantId::from_random([1; 16]),
        lineage: LineageId::from_random([2; 16]),
        profile: ProfileName::new("interview").unwrap(),
        session_id: Some(SessionId::new("session-7").unwrap()),
        mode: Mode::Direct,
        expires_after_seconds: 600,
    }
}

pub fn grant() -> Grant {
    let (draft, caller, request, now) = (draft(), caller(), request(), StillClock.now());
    Grant {
        id: draft.id,
        lineage: draft.lineage,
        state: GrantState::Active,
        subject: caller.subject,
        credential: caller.credential,
        profile: draft.profile,
        session_id: draft.session_id,
        mode: draft.mode,
        created_at: now + std::time::Duration::from_nanos(456_789),
        expires_at: now + std::time::Duration::from_secs(600),
        refresh_after: now + std::time::Duration::from_secs(480),
        secret_last4: "wxyz".to_owned(),
        secret_hash: "ab".repeat(32),
        address: request.address,
        user_agent: request.user_agent,
        request_id: request.id,
        upstream_request_id: Some("req_upstream".to_owned()),
        refresh_of: None,
        superseded_by: None,
    }
}

/// The two records of a mint.
pub fn mint() -> (AuditEvent, AuditEvent) {
    let mut intent = AuditEvent::outcome(StillClock.now(), Action::GrantCreate, Outcome::Pending);
    intent.phase = Phase::Intent;
    intent.request = Some(Arc::new(request()));
    intent.caller = Some(Arc::new(caller()));
    intent.draft = Some(Arc::new(draft()));
    let mut outcome = intent.clone();
    outcome.phase = Phase::Outcome;
    outcome.outcome = Outcome::Success;
    outcome.grant = Some(Arc::new(grant()));
    outcome.upstream = Some(UpstreamFacts {
        name: Some("openai".into()),
        request_id: Some("req_upstream".to_owned()),
        status: Some(200),
        orphan_possible: false,
    });
    (intent, outcome)
}
