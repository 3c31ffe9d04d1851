//! Each target over its corpus and some thousand mutations of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeSet, fs, panic::catch_unwind, path::Path};

use hallpass_fuzz_targets::{SEED, TARGETS, corpus, mutations};

const MUTATIONS: usize = 3000;

/// Runs one input; a finding is told with the input that made it.
fn hold(name: &str, target: fn(&[u8]), input: &[u8]) {
    if catch_unwind(|| target(input)).is_err() {
        panic!("{name}: {}", String::from_utf8_lossy(input).escape_debug());
    }
}

fn smoke(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let kept = corpus(name).unwrap();
    assert!(!kept.is_empty(), "fuzz/corpus/{name} is empty");
    for input in &kept {
        hold(name, *target, input);
    }
    for input in mutations(&kept, SEED).take(MUTATIONS) {
        hold(name, *target, &input);
    }
}

macro_rules! smoke {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            smoke(stringify!($name));
        })*

        const SMOKED: &[&str] = &[$(stringify!($name)),*];
    };
}

smoke! { api_key claims config cookies jwe jwks jws realtime_event websocket_head }

#[test]
fn every_target_is_smoked_and_has_its_file() {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, SMOKED);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let files: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, names.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn a_seed_repeats_its_mutations() {
    let kept = vec![b"one".to_vec(), b"two".to_vec()];
    let run = |seed| mutations(&kept, seed).take(50).collect::<Vec<_>>();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
