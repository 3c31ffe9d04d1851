//! How long a day among ninety takes to find, with and without the index.
//!
//! `cargo run --release -p hallpass-audit --example search [DIR [RECORDS_A_DAY]]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: its output is its result, and a failure ends it"
)]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use hallpass_audit::{Keeper, Query, Trail, TrailSettings, search};
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    caller::{Caller, Scheme},
    ids::{CredentialId, RequestId, Subject},
    ports::{AuditLog, Clock},
    request::RequestFacts,
};

const DAYS: i64 = 90;
const DAY: i64 = 24 * 3600;

struct DayClock(AtomicI64);

impl Clock for DayClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(
        || std::env::temp_dir().join("hallpass-search"),
        PathBuf::from,
    );
    let a_day: u32 = arguments.next().map_or(5_000, |text| text.parse().unwrap());
    let _ = std::fs::remove_dir_all(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(fill(&dir, a_day));
    let start = Timestamp::from_second(1_795_000_000 + 40 * DAY).unwrap();
    let day = Query {
        since: Some(start),
        until: Some(start + Duration::from_secs(24 * 3600)),
        ..Query::default()
    };
    let person = Query {
        subject: Some("user-40-7".to_owned()),
        ..Query::default()
    };
    println!("{DAYS} days of {a_day} records");
    for (name, query) in [("one day", day), ("one subject", person)] {
        measure(&dir, name, query.clone());
        let all = Query {
            without_index: true,
            ..query
        };
        measure(&dir, &format!("{name}, no index"), all);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn measure(dir: &Path, name: &str, query: Query) {
    let start = Instant::now();
    let found = search(dir, query).unwrap();
    let skipped = found.skipped_segments();
    let count = found.count();
    let took = start.elapsed().as_secs_f64() * 1000.0;
    println!("{name:24} {count:6} records in {took:8.1} ms, {skipped} segments skipped");
}

async fn fill(dir: &Path, a_day: u32) {
    let clock = Arc::new(DayClock(AtomicI64::new(1_795_000_000)));
    let mut settings = TrailSettings::new(dir, clock.clone(), "0.0.0");
    settings.segment_max_age = Duration::from_secs(20 * 3600);
    let (trail, _) = Trail::open(settings).unwrap();
    let keeper = Keeper {
        dir: dir.to_owned(),
        archive: None,
        hot_days: 90,
        retention_days: 365,
        written: None,
    };
    for day in 0..DAYS {
        let mut last = None;
        for number in 0..a_day {
            last = Some(trail.append(event(clock.now(), day, number)));
        }
        last.unwrap().await.unwrap();
        clock.0.fetch_add(DAY, Ordering::Relaxed);
    }
    let start = Instant::now();
    let kept = keeper.keep(clock.now(), &trail).await.unwrap();
    let took = start.elapsed().as_secs_f64();
    let each = took * 1e6 / (f64::from(a_day) * kept.indexed as f64);
    println!("{} indexes made, {each:.1} us a record", kept.indexed);
}

fn event(now: Timestamp, day: i64, number: u32) -> AuditEvent {
    let mut event = AuditEvent::outcome(now, Action::GrantRead, Outcome::Success);
    event.caller = Some(Arc::new(Caller {
        subject: Subject::new(format!("user-{day}-{}", number % 1000)).unwrap(),
        scheme: Scheme::Jwt,
        credential: CredentialId::new("issuer").unwrap(),
        roles: vec![],
        session_id: None,
        tenant: None,
        issued_at: None,
        expires_at: None,
    }));
    event.request = Some(Arc::new(RequestFacts {
        id: RequestId::from_random([3; 16]),
        method: "GET",
        route: "/api/client-secrets",
        address: Some("203.0.113.7".parse().unwrap()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0)".to_owned()),
        origin: None,
    }));
    event
}
