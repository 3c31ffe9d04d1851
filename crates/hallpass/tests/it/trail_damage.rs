//! A trail that is damaged, shared or out of time: what a server does, and what
//! the operator is told.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Process, Run, Serve, Shim, Sim, Site, Stream, binary, post, random_hex, send,
};

/// A site whose server has minted, and is gone.
struct Past {
    site: Site,
    _sim: Sim,
}

impl Past {
    /// One whose trail has several segments.
    async fn of(mints: usize) -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, "[audit]\nsegment_max_bytes = 65536\n");
        let mut serve = Serve::start(&site);
        for _ in 0..mints {
            assert_eq!(mint(&serve, &site.token("user-1", 600)).await, 201);
        }
        assert!(serve.process.end(Signal::INT).success());
        Self { site, _sim: sim }
    }

    fn segments(&self) -> Vec<PathBuf> {
        self.site.trail().segments()
    }

    /// What a server that must not start says.
    fn refusal(&self) -> String {
        refused(&self.site)
    }

    fn verified(&self) -> Run {
        let mut command = binary();
        command
            .args(["audit", "verify"])
            .arg(self.site.trail().dir());
        Run::of(command, "")
    }
}

/// Starts a server that must not start; gives the one sentence it says.
fn refused(site: &Site) -> String {
    let mut process = Process::start(site.command(&["serve"]));
    let status = process.ended_within(Duration::from_secs(20));
    assert_eq!(status.code(), Some(2));
    let said = process.text(Stream::Err);
    let told = said.lines().filter_map(|line| line.strip_prefix("error: "));
    let told: Vec<&str> = told.collect();
    assert_eq!(told.len(), 1, "{said}");
    told[0].to_owned()
}

async fn mint(serve: &Serve, bearer: &str) -> u16 {
    let url = serve.url("/api/generate-client-secret");
    send(post(&serve.client, &url, bearer, &json!({})))
        .await
        .status
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn write(path: &Path, lines: &[String]) {
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// What someone did to the last segment.
type Deed = (&'static str, fn(&mut Vec<String>));

const DEEDS: [Deed; 5] = [
    ("edited", |lines| {
        lines[2] = lines[2].replacen("\"time\":1", "\"time\":2", 1);
    }),
    ("deleted", |lines| drop(lines.remove(2))),
    ("inserted", |lines| lines.insert(2, lines[1].clone())),
    ("swapped", |lines| lines.swap(2, 3)),
    ("a record of another place", |lines| {
        lines[3] = lines[1].clone();
    }),
];

#[tokio::test]
async fn a_last_segment_someone_changed_keeps_the_server_from_starting() {
    let past = Past::of(3).await;
    let path = past.segments().pop().unwrap();
    let whole = lines(&path);
    for (what, deed) in DEEDS {
        let mut changed = whole.clone();
        deed(&mut changed);
        assert!(changed != whole, "{what}");
        write(&path, &changed);
        let told = past.refusal();
        assert!(
            told.contains("the audit trail is damaged"),
            "{what}: {told}"
        );
        assert!(
            told.contains("run `hallpass audit verify`"),
            "{what}: {told}"
        );
        let verified = past.verified();
        assert_eq!(verified.code, 1, "{what}");
        let place = if what.starts_with("a record") { 3 } else { 2 };
        let named = format!("record {place} in trail-");
        assert!(verified.err.contains(&named), "{what}: {}", verified.err);
        assert!(
            lines(&path) == changed,
            "{what}: the files stay as they are"
        );
    }
    write(&path, &whole);
    drop(Serve::start(&past.site));
}

#[tokio::test]
async fn an_earlier_segment_someone_changed_is_named_by_verify() {
    let past = Past::of(30).await;
    let first = past.segments().remove(0);
    let whole = lines(&first);
    for (what, deed) in DEEDS {
        let mut changed = whole.clone();
        deed(&mut changed);
        write(&first, &changed);
        let verified = past.verified();
        assert_eq!(verified.code, 1, "{what}");
        assert!(verified.err.contains("record "), "{what}: {}", verified.err);
    }
    write(&first, &whole);
    past.verified().done();
}

#[tokio::test]
async fn a_missing_segment_keeps_the_server_from_starting_until_it_is_restored() {
    let past = Past::of(50).await;
    let segments = past.segments();
    assert!(segments.len() > 2, "{}", segments.len());
    for path in &segments[..2] {
        let kept = std::fs::read(path).unwrap();
        std::fs::remove_file(path).unwrap();
        if *path == segments[1] {
            let told = past.refusal();
            assert!(told.contains("restore the segment"), "{told}");
            let next = lines(&segments[2]);
            let next: Value = serde_json::from_str(&next[0]).unwrap();
            let next = next["metadata"]["sequence"].as_u64().unwrap();
            assert!(
                !told.contains(&format!("record {next} was expected")),
                "{told}"
            );
        }
        let verified = past.verified();
        assert_eq!(verified.code, 1);
        assert!(
            verified.err.contains("missing") || verified.err.contains("removed"),
            "{}",
            verified.err
        );
        std::fs::write(path, kept).unwrap();
    }
    past.verified().done();
    drop(Serve::start(&past.site));
}

#[tokio::test]
async fn a_second_server_on_the_directory_does_not_start_and_the_first_goes_on() {
    let past = Past::of(1).await;
    let first = Serve::start(&past.site);
    let told = past.refusal();
    let pid = first.process.pid().as_raw_pid();
    assert!(told.contains(&format!("in use by process {pid}")), "{told}");
    assert!(
        told.contains("give each server a directory of its own"),
        "{told}"
    );
    assert_eq!(mint(&first, &past.site.token("user-1", 600)).await, 201);
    past.verified().done();
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_is_recorded_told_and_outlived() {
    let past = Past::of(1).await;
    let shim = Shim::new();
    let mut command = past.site.command(&["serve"]);
    shim.before(&mut command);
    let mut serve = Serve::start_by(command);
    let bearer = past.site.token("user-1", 4 * 3600);
    assert_eq!(mint(&serve, &bearer).await, 201);
    let hour = 3_600_000;
    // An hour forward, back to the right time, and an hour back. While this
    // clock is ahead, what OpenAI answers seems to be over already.
    for (shift, jump, status) in [(hour, hour, 502), (0, -hour, 201), (-hour, -hour, 201)] {
        shim.shift_clock(shift);
        let told = serve.process.wait_for(Stream::Err, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let milliseconds = line["milliseconds"].as_i64()?;
            let this = (milliseconds - jump).abs() < 5_000;
            let message = line["message"].as_str()?;
            (this && message.contains("clock jumped")).then(|| message.to_owned())
        });
        assert!(told.contains("check the time service"), "{told}");
        assert_eq!(mint(&serve, &bearer).await, status, "after {jump}");
    }
    assert!(serve.process.end(Signal::INT).success());
    let records = past.site.trail().all();
    let jumps = records.iter().filter(|it| it.action() == "clock.jump");
    let jumps: Vec<i64> = jumps
        .map(|it| it.fact("milliseconds").parse::<i64>().unwrap())
        .collect();
    assert_eq!(jumps.len(), 3, "{jumps:?}");
    past.verified().done();
}

#[tokio::test]
async fn a_trail_that_is_gone_is_told_at_the_next_start() {
    let past = Past::of(2).await;
    std::fs::remove_dir_all(past.site.trail().dir()).unwrap();
    let serve = Serve::start(&past.site);
    let said = serve.process.text(Stream::Err);
    assert!(said.contains("deleted, rolled back"), "{said}");
    // The new trail is followed from its beginning, so the next start is quiet.
    assert_eq!(mint(&serve, &past.site.token("user-1", 600)).await, 201);
    let mut process = serve.process;
    assert!(process.end(Signal::INT).success());
    let again = Serve::start(&past.site);
    let said = again.process.text(Stream::Err);
    assert!(!said.contains("deleted, rolled back"), "{said}");
}

#[tokio::test]
async fn nothing_is_issued_once_the_trail_is_deleted_under_the_server() {
    let past = Past::of(1).await;
    let serve = Serve::start(&past.site);
    std::fs::remove_dir_all(past.site.trail().dir()).unwrap();
    assert_eq!(mint(&serve, &past.site.token("user-1", 600)).await, 503);
}
