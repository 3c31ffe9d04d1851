//! Records a second, latency and processor time of the trail at 1 to 256
//! writers, beside the disk's bare append-and-fdatasync, as Markdown.
//!
//! `cargo run --release -p hallpass-audit --example throughput [DIR [WINDOW_US[:WRITERS[:PAUSE_MS]]…]]`
//!
//! A pause stands between two records of a writer, like OpenAI between a
//! mint's two; without one, each writer appends as soon as it can.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: its output is its result, and a failure ends it"
)]

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hallpass_audit::{Query, Trail, TrailObserver, TrailSettings, search, verify};
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome, Phase, UpstreamFacts},
    caller::{Caller, Scheme},
    grant::{Grant, GrantDraft, GrantState, Mode},
    ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, RoleName, SessionId, Subject},
    ports::{AuditLog, Clock},
    request::RequestFacts,
};

const SECONDS: Duration = Duration::from_secs(2);

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_000_000).unwrap()
    }
}

#[derive(Default)]
struct Count {
    syncs: AtomicU64,
    records: AtomicU64,
}

impl TrailObserver for Count {
    fn synced(&self, records: usize, _write: Duration, _sync: Duration) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    fn poisoned(&self, why: &str) {
        println!("poisoned: {why}");
    }

    fn stalled(&self, _stalled: bool) {}
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(
        || std::env::temp_dir().join("hallpass-throughput"),
        PathBuf::from,
    );
    let mut runs: Vec<Run> = arguments.map(|text| Run::read(&text)).collect();
    if runs.is_empty() {
        // The window the server has unless it is told otherwise.
        runs = [1, 16, 64, 256]
            .map(|writers| Run::new(0, writers, 0))
            .into();
    }
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let before = bare(&dir);
    let mut rows = Vec::new();
    for run in runs {
        rows.push(measure(&dir, &run));
    }
    let after = bare(&dir);
    let disk = Bare {
        rate: f64::midpoint(before.rate, after.rate),
        median: (before.median + after.median) / 2,
    };
    println!(
        "The disk by itself, appending {SIZE} bytes and fdatasync, one by one: {:.0} a second before and {:.0} after, median {:.2} ms.\n",
        before.rate,
        after.rate,
        milliseconds(disk.median)
    );
    println!(
        "| writers | records a second | × the disk | median ms | 99th percentile ms | added to the disk's median, ms | records a sync | µs of processor a record |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    rows.iter().for_each(|row| row.print(&disk));
    read_back(&dir);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// How fast a trail just written is verified, and how fast it is searched.
fn read_back(dir: &Path) {
    let trails = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let size = |path: &PathBuf| verify(path, None, |_| {}).unwrap().records;
    let largest = trails
        .filter(|path| path.is_dir())
        .max_by_key(size)
        .unwrap();
    let start = Instant::now();
    let report = verify(&largest, None, |_| {}).unwrap();
    let verified = start.elapsed();
    let query = Query {
        subject: Some("nobody".to_owned()),
        ..Query::default()
    };
    let start = Instant::now();
    assert_eq!(search(&largest, query).unwrap().count(), 0);
    let per_second = |time: Duration| report.records as f64 / time.as_secs_f64();
    println!(
        "\n{} bytes a record, averaged over the two of a mint; `audit verify` checks {:.0} a second, a search without index reads {:.0} a second.",
        report.bytes / report.records,
        per_second(verified),
        per_second(start.elapsed()),
    );
}

struct Run {
    window: Duration,
    writers: usize,
    pause: Duration,
}

impl Run {
    fn new(window_us: u64, writers: usize, pause_ms: u64) -> Self {
        Self {
            window: Duration::from_micros(window_us),
            writers,
            pause: Duration::from_millis(pause_ms),
        }
    }

    fn read(text: &str) -> Self {
        let mut numbers = text.split(':').map(|text| text.parse().unwrap());
        let window = numbers.next().unwrap();
        let writers = numbers.next().unwrap_or(64);
        Self::new(window, writers as usize, numbers.next().unwrap_or(0))
    }
}

/// What the disk does by itself.
struct Bare {
    rate: f64,
    median: Duration,
}

/// What one run measured.
struct Row {
    name: String,
    rate: f64,
    median: Duration,
    late: Duration,
    cpu: Duration,
    together: f64,
}

impl Row {
    fn print(&self, disk: &Bare) {
        println!(
            "| {} | {:.0} | {:.1} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} |",
            self.name,
            self.rate,
            self.rate / disk.rate,
            milliseconds(self.median),
            milliseconds(self.late),
            milliseconds(self.median) - milliseconds(disk.median),
            self.together,
            self.cpu.as_secs_f64() * 1e6
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// About what a record takes, in bytes.
const SIZE: usize = 2000;

fn bare(dir: &Path) -> Bare {
    let path = dir.join("bare");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < SECONDS {
        let begun = Instant::now();
        file.write_all(&[b'x'; SIZE]).unwrap();
        file.sync_data().unwrap();
        took.push(begun.elapsed());
    }
    let rate = took.len() as f64 / start.elapsed().as_secs_f64();
    took.sort_unstable();
    let median = took[took.len() / 2];
    Bare { rate, median }
}

fn measure(dir: &Path, run: &Run) -> Row {
    let (window, writers, pause) = (run.window.as_micros(), run.writers, run.pause.as_millis());
    let count = Arc::new(Count::default());
    let mut settings = TrailSettings::new(
        dir.join(format!("{window}-{writers}-{pause}")),
        Arc::new(StillClock),
        "0.0.0",
    );
    settings.gather_window = run.window;
    settings.observer = count.clone();
    let (trail, _) = Trail::open(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        // With its drivers, as a server has them: a wake from outside costs a call.
        .enable_all()
        .build()
        .unwrap();
    let cpu = cpu_time();
    let start = Instant::now();
    let mut latencies = runtime.block_on(load(Arc::new(trail), run, start));
    let (elapsed, cpu) = (start.elapsed(), cpu_time() - cpu);
    latencies.sort_unstable();
    let records = latencies.len();
    let at = |share: f64| latencies[((records - 1) as f64 * share) as usize];
    let name = match (window, pause) {
        (0, 0) => writers.to_string(),
        _ => format!("{writers}, window {window} µs, pause {pause} ms"),
    };
    let counted = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
    Row {
        name,
        rate: records as f64 / elapsed.as_secs_f64(),
        median: at(0.5),
        late: at(0.99),
        cpu: cpu / u32::try_from(records).unwrap(),
        together: counted(&count.records) / counted(&count.syncs),
    }
}

async fn load(trail: Arc<Trail>, run: &Run, start: Instant) -> Vec<Duration> {
    let (intent, outcome) = mint();
    let tasks: Vec<_> = (0..run.writers)
        .map(|_| {
            let pause = run.pause;
            let (trail, pair) = (trail.clone(), [intent.clone(), outcome.clone()]);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                for event in pair.iter().cycle() {
                    if start.elapsed() > SECONDS {
                        break;
                    }
                    let asked = Instant::now();
                    trail.append(event.clone()).await.unwrap();
                    latencies.push(asked.elapsed());
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                latencies
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn mint() -> (AuditEvent, AuditEvent) {
    let now = StillClock.now();
    let mut intent = AuditEvent::outcome(now, Action::GrantCreate, Outcome::Pending);
    intent.phase = Phase::Intent;
    intent.request = Some(Arc::new(RequestFacts {
        id: RequestId::from_random([3; 16]),
        method: "POST",
        route: "/api/generate-client-secret",
        address: Some("203.0.113.7".parse().unwrap()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0)".to_owned()),
        origin: Some("https://app.example".to_owned()),
    }));
    intent.caller = Some(Arc::new(Caller {
        subject: Subject::new("user-42").unwrap(),
        scheme: Scheme::Jwt,
        credential: CredentialId::new("issuer").unwrap(),
        roles: vec![RoleName::new("candidate").unwrap()],
        session_id: None,
        tenant: None,
        issued_at: None,
        expires_at: None,
    }));
    intent.draft = Some(Arc::new(GrantDraft {
        id: GrantId::from_random([1; 16]),
        lineage: LineageId::from_random([2; 16]),
        profile: ProfileName::new("interview").unwrap(),
        session_id: Some(SessionId::new("session-7").unwrap()),
        mode: Mode::Direct,
        expires_after_seconds: 600,
    }));
    let mut outcome = intent.clone();
    outcome.phase = Phase::Outcome;
    outcome.outcome = Outcome::Success;
    outcome.grant = Some(Arc::new(grant(now)));
    outcome.upstream = Some(UpstreamFacts {
        name: Some("openai".into()),
        request_id: Some("req_0123456789abcdef".to_owned()),
        status: Some(200),
        orphan_possible: false,
    });
    (intent, outcome)
}

fn grant(now: Timestamp) -> Grant {
    Grant {
        id: GrantId::from_random([1; 16]),
        lineage: LineageId::from_random([2; 16]),
        state: GrantState::Active,
        subject: Subject::new("user-42").unwrap(),
        credential: CredentialId::new("issuer").unwrap(),
        profile: ProfileName::new("interview").unwrap(),
        session_id: Some(SessionId::new("session-7").unwrap()),
        mode: Mode::Direct,
        created_at: now,
        expires_at: now + Duration::from_secs(600),
        refresh_after: now + Duration::from_secs(480),
        secret_last4: "wxyz".to_owned(),
        secret_hash: "ab".repeat(32),
        address: Some("203.0.113.7".parse().unwrap()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0)".to_owned()),
        request_id: RequestId::from_random([3; 16]),
        upstream_request_id: Some("req_0123456789abcdef".to_owned()),
        refresh_of: None,
        superseded_by: None,
    }
}
