//! Calls that fail while a server starts: it says so and starts the next time.

use std::time::Duration;

use rustix::io::Errno;

use super::{DISK, upstream};
use crate::support::{Fault, Process, Serve, Shim, Site, Stream};

/// Starts a server that must not come up; gives what it said.
fn refused(site: &Site, shim: &Shim, fault: Fault) -> String {
    shim.fail(fault);
    let mut command = site.command(&["serve"]);
    shim.before(&mut command);
    let mut process = Process::start(command);
    let status = process.ended_within(Duration::from_secs(20));
    assert_eq!(shim.failed(), 1, "{fault:?} never came to pass");
    assert_eq!(status.code(), Some(2), "{fault:?}");
    process.text(Stream::Err)
}

fn assert_told(said: &str, fault: Fault) {
    let told = said.lines().filter(|line| line.starts_with("error: "));
    let told: Vec<&str> = told.collect();
    assert_eq!(told.len(), 1, "{fault:?}: {said}");
    assert!(told[0].contains("audit"), "{fault:?}: {said}");
    let remedy = ["Free or repair the disk", "free or repair the disk"];
    let says_what_to_do = remedy.iter().any(|words| told[0].contains(words));
    assert!(says_what_to_do, "{fault:?}: {said}");
}

fn faults(calls: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = Fault> {
    let of = |error: Errno| {
        move |&(call, path): &(&'static str, &'static str)| Fault {
            call,
            path,
            error: Some(error),
            skip: 0,
            times: 1,
        }
    };
    DISK.into_iter()
        .flat_map(move |error| calls.iter().map(of(error)))
}

#[test]
fn a_new_trail_that_can_not_be_made_is_told_and_made_the_next_time() {
    let (sim, key) = upstream();
    let (site, shim) = (Site::new(&sim.url, &key, ""), Shim::new());
    let audit = site.path("data/audit");
    let calls = &[
        ("mkdir", "/audit$"),
        ("fsync", "/data$"),
        ("create", "/trail.lock$"),
        ("create", ".jsonl$"),
        ("fsync", "/audit$"),
        ("create", "/trail.journal$"),
        ("write", "/trail.journal$"),
        ("fsync", "/trail.journal$"),
        ("pwrite", "/trail.journal$"),
        ("fdatasync", "/trail.journal$"),
        ("write", ".jsonl$"),
    ];
    // The first start makes the folder above.
    drop(Serve::start(&site));
    for fault in faults(calls) {
        std::fs::remove_dir_all(&audit).unwrap();
        let said = refused(&site, &shim, fault);
        assert_told(&said, fault);
        drop(Serve::start(&site));
        assert_eq!(site.trail().verified()["verdict"], "whole", "{fault:?}");
    }
}

#[test]
fn a_trail_that_can_not_be_opened_or_mended_is_told_and_mended_the_next_time() {
    let (sim, key) = upstream();
    let (site, shim) = (Site::new(&sim.url, &key, ""), Shim::new());
    let calls = &[
        ("open", ".jsonl$"),
        ("ftruncate", ".jsonl$"),
        ("pwrite", ".jsonl$"),
        ("write", ".jsonl$"),
        ("fdatasync", ".jsonl$"),
    ];
    drop(Serve::start(&site));
    for fault in faults(calls) {
        let segment = site.trail().segments().pop().unwrap();
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes.extend_from_slice(br#"{"time":1"#);
        std::fs::write(&segment, bytes).unwrap();
        let said = refused(&site, &shim, fault);
        assert_told(&said, fault);
        drop(Serve::start(&site));
        let trail = site.trail();
        assert_eq!(trail.verified()["verdict"], "whole", "{fault:?}");
        let repaired = trail.all();
        assert!(
            repaired
                .iter()
                .any(|record| record.action() == "trail.repair")
        );
    }
}
