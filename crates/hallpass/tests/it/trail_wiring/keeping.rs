//! Rotation, archive, retention, legal hold and restoring, by the server itself.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use hallpass_audit::{Trail as Writer, TrailSettings};
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    ports::{AuditLog, Clock},
};

use super::{Place, until, verify};
use crate::support::{Serve, Site, Stream, now};

/// A clock that is set by hand.
struct SetClock(Mutex<Timestamp>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp::from_second(now() - days * 86_400).unwrap()
}

/// Segments as servers wrote them on some days, oldest first.
pub(super) fn past(site: &Site, days: &[i64]) {
    std::fs::create_dir_all(site.path("data")).unwrap();
    let clock = Arc::new(SetClock(Mutex::new(days_ago(days[0]))));
    let mut settings = TrailSettings::new(site.trail().dir(), clock.clone(), "0.1.0");
    settings.segment_max_age = Duration::from_secs(3600);
    let (trail, _) = Writer::open(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for day in days {
        *clock.0.lock().unwrap() = days_ago(*day);
        for action in [Action::ServerStart, Action::ServerStop] {
            let event = AuditEvent::outcome(clock.now(), action, Outcome::Success);
            runtime.block_on(trail.append(event)).unwrap();
        }
    }
    trail.close();
}

/// Makes a past off the test's own runtime.
pub(super) fn past_of(days: &'static [i64]) -> impl FnOnce(&Site) {
    move |site| {
        let site = site.clone();
        std::thread::spawn(move || past(&site, days))
            .join()
            .unwrap();
    }
}

pub(super) fn names(dir: &Path, ending: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

fn archive_in(dir: &Path) -> (PathBuf, String) {
    let archive = dir.join("archive");
    let audit = format!(
        "segment_max_bytes = 65536\narchive = \"{}\"",
        archive.display()
    );
    (archive, audit)
}

#[tokio::test]
async fn segments_are_archived_cooled_expired_held_and_restored() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (archive, audit) = archive_in(elsewhere.path());
    let held = |site: &Site| {
        past_of(&[400, 380, 200, 120, 30, 3])(site);
        site.run(&["audit", "hold", "--reason", "case 7"]).done();
    };
    let mut place = Place::start(&audit, held);
    let trail = place.site.trail();
    let originals: Vec<_> = trail.segments();
    let whole: Vec<_> = originals
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    until("all in the archive", || place.count("trail.archive") == 6).await;
    place.serve.process.wait_for(Stream::Err, |line| {
        line.contains("segments were archived").then_some(())
    });
    assert_eq!(trail.segments().len(), 7, "a hold removes nothing");
    assert_eq!(names(&archive, ".jsonl.zst").len(), 6);
    assert_eq!(verify(trail.dir(), &[]).json()["verdict"], "whole");

    place.site.run(&["audit", "hold", "--lift"]).done();
    place.restart();
    until("both removals", || place.count("trail.purge") == 2).await;
    until("the files gone", || {
        names(&archive, ".jsonl.zst").len() == 4
    })
    .await;
    assert_eq!(trail.segments().len(), 3, "thirty days, three, and today");
    let verified = verify(trail.dir(), &[]).json();
    assert_eq!(
        (&verified["verdict"], &verified["hash_only"]),
        (&"whole".into(), &8.into())
    );

    let case = place.site.path("case");
    let (since, until_) = (days_ago(250).to_string(), days_ago(100).to_string());
    let to = case.to_str().unwrap();
    let restore = [
        "audit", "restore", "--to", to, "--since", &since, "--until", &until_,
    ];
    place.site.run(&restore).done();
    assert_eq!(names(&case, ".jsonl").len(), 2);
    for (original, bytes) in originals.iter().zip(&whole).skip(2).take(2) {
        let restored = case.join(original.file_name().unwrap());
        assert_eq!(std::fs::read(restored).unwrap(), *bytes, "byte for byte");
    }
    verify(&case, &["--partial"]).done();

    // What the running server seals is archived without being asked.
    place.mint_times(40).await;
    assert!(trail.segments().len() > 3, "a segment was full");
    until("it in the archive", || {
        names(&archive, ".jsonl.zst").len() > 4
    })
    .await;
    assert_eq!(verify(trail.dir(), &[]).json()["verdict"], "whole");
}

#[tokio::test]
async fn what_the_archive_holds_wrong_stays_here_until_it_is_right() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (archive, audit) = archive_in(elsewhere.path());
    let audit = format!("{audit}\nhot_days = 1000\nretention_days = 1000");
    let mut place = Place::start(&audit, past_of(&[40, 20]));
    until("both in the archive", || place.count("trail.archive") == 2).await;
    let object = archive.join(&names(&archive, ".jsonl.zst")[0]);
    let mut bytes = std::fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&object, bytes).unwrap();

    let config = place.site.path("hallpass.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("hot_days = 1000", "hot_days = 1")).unwrap();
    place.restart();
    place.serve.process.wait_for(Stream::Err, |line| {
        line.contains("old segments could not be kept")
            .then_some(())
    });
    assert_eq!(place.site.trail().segments().len(), 3);
    std::fs::remove_file(&object).unwrap();
    place.serve.process.kill_9();
    place.serve = Serve::start(&place.site);
    until("both cooled", || place.site.trail().segments().len() == 1).await;
    assert_eq!(names(&archive, ".jsonl.zst").len(), 2);
    assert_eq!(
        verify(place.site.trail().dir(), &[]).json()["verdict"],
        "whole"
    );
}
