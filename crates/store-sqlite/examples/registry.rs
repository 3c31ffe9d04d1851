//! What a grant costs the registry, and what it costs beside a million others,
//! as Markdown: processor time from the call to the file.
//!
//! ```text
//! cargo run --release -p hallpass-store-sqlite --example registry -- [GRANTS] [SUBJECTS] [BATCH] [BEFORE]…
//! ```
//!
//! Writes GRANTS grants of SUBJECTS subjects as the server does, BATCH in one
//! transaction (2,500: half a second at 5,000 a second), on top of BEFORE grants
//! that are there already; then asks for, expires and withdraws them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for whoever measures"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hallpass_core::{
    Timestamp,
    grant::{Grant, GrantState, Mode},
    ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, Subject},
    ports::{GrantFilter, Grants},
    revocation::Scope,
};
use hallpass_store_sqlite::{Database, Flusher, Progress, SqliteGrants};

struct Trail;

impl Progress for Trail {
    fn next_sequence(&self) -> u64 {
        0
    }
}

/// Processor time of this process so far, all threads together.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let own: u64 = stat.split(' ').next().unwrap().parse().unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let all: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(all.max(own))
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

fn grant(number: u32, subjects: u32) -> Grant {
    let created_at = moment(i64::from(number) / 5);
    // A cheap mixing of bits stands in for randomness.
    let mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&mixed.to_be_bytes());
    random[8..].copy_from_slice(&number.to_be_bytes()[2..]);
    let id = GrantId::at(created_at, random);
    Grant {
        lineage: LineageId::begun_by(&id),
        id,
        state: GrantState::Active,
        subject: Subject::new(format!("user-{}", mixed % u64::from(subjects))).unwrap(),
        credential: CredentialId::new("app").unwrap(),
        profile: ProfileName::new("interview").unwrap(),
        session_id: None,
        mode: Mode::Direct,
        created_at,
        expires_at: moment(i64::from(number) / 5 + 60_000),
        refresh_after: moment(i64::from(number) / 5 + 48_000),
        secret_last4: "wxyz".to_owned(),
        secret_hash: "0f".repeat(32),
        address: Some([192, 0, 2, 7].into()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36".to_owned()),
        request_id: RequestId::from_random([7; 16]),
        upstream_request_id: Some("req_0123456789abcdef0123456789abcdef".to_owned()),
        refresh_of: None,
        superseded_by: None,
    }
}

async fn write(
    grants: &Arc<SqliteGrants>,
    numbers: std::ops::Range<u32>,
    subjects: u32,
    batch: u32,
) {
    let flusher = Flusher::new(grants.clone(), Arc::new(Trail));
    for number in numbers {
        grants.record(grant(number, subjects).into()).await.unwrap();
        if number % batch == batch - 1 {
            flusher.flush().await.unwrap();
        }
    }
    flusher.flush().await.unwrap();
}

/// Processor microseconds of each of some deeds since a moment.
fn each(started: Duration, count: u32) -> f64 {
    (cpu() - started).as_secs_f64() * 1e6 / f64::from(count.max(1))
}

/// What a grant costs on top of others.
async fn measure(count: u32, subjects: u32, batch: u32, before: u32) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("hallpass.db"))
        .await
        .unwrap();
    let grants = Arc::new(SqliteGrants::new(database));
    write(&grants, 0..before, subjects, 50_000).await;

    let started = cpu();
    for number in before..before + count {
        std::hint::black_box(grant(number, subjects));
    }
    let making = each(started, count);

    // What a mint waits for: the call alone.
    let mut waited = Duration::ZERO;
    let flusher = Flusher::new(grants.clone(), Arc::new(Trail));
    let started = cpu();
    for number in before..before + count {
        let made = grant(number, subjects);
        let begun = Instant::now();
        grants.record(made.clone().into()).await.unwrap();
        waited += begun.elapsed();
        if number % batch == batch - 1 {
            flusher.flush().await.unwrap();
        }
    }
    flusher.flush().await.unwrap();
    let writing = each(started, count) - making;
    let waited = waited.as_secs_f64() * 1e6 / f64::from(count);

    let listing = list(&grants, subjects).await;
    let at = moment(i64::from(before) / 5 + 61_000);
    let (started, mut moved) = (cpu(), 0);
    loop {
        let batch = grants.expire(at, 2_000).await.unwrap();
        moved += u32::try_from(batch).unwrap();
        if batch < 2_000 {
            break;
        }
    }
    let expiring = each(started, moved);
    let begun = Instant::now();
    let scope = Scope::Subject(Subject::new("user-1").unwrap());
    grants.withdraw(&scope, at).await.unwrap();
    let revoking = begun.elapsed().as_secs_f64() * 1e3;
    println!(
        "| {before} | {waited:.2} | {writing:.1} | {expiring:.1} | {listing:.2} | {revoking:.2} |"
    );
}

/// Milliseconds of listing one subject's newest grants.
async fn list(grants: &SqliteGrants, subjects: u32) -> f64 {
    const TIMES: u32 = 100;
    let begun = Instant::now();
    for number in 0..TIMES {
        let subject = Subject::new(format!("user-{}", number % subjects)).unwrap();
        let filter = GrantFilter {
            subject: Some(subject),
            limit: 50,
            ..GrantFilter::default()
        };
        std::hint::black_box(grants.list(&filter).await.unwrap());
    }
    begun.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"))
        .collect();
    let of = |place: usize, default| numbers.get(place).copied().unwrap_or(default);
    let (count, subjects) = (of(0, 100_000), of(1, 100_000));
    let batch = of(2, 2_500).max(1);
    let before = numbers.get(3..).filter(|given| !given.is_empty());
    println!(
        "{count} grants of {subjects} subjects, {batch} in one transaction, on top of those there already.\n"
    );
    println!(
        "| grants there already | a mint waits, µs | µs of processor a grant, until it is in the file | µs of processor to expire one | ms to list a subject's newest 50 | ms to revoke a subject |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for &before in before.unwrap_or(&[0, 100_000, 1_000_000]) {
        measure(count, subjects, batch, before).await;
    }
}
