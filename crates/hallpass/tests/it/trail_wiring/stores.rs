//! The archive in a vendor's store, as configuration and environment name it.

use std::sync::Arc;

use hallpass_testkit::store::{Mood, ObjectStore, ServiceAccount, Vendor};
use serde_json::Value;

use super::{keeping, verify};
use crate::support::{Run, Serve, Sim, Site, Stream, random_hex};

fn vendors() -> [Vendor; 3] {
    [
        Vendor::S3 {
            key_id: "AKIDEXAMPLE".to_owned(),
            secret: random_hex(20),
        },
        Vendor::Google(Arc::new(ServiceAccount::new())),
        Vendor::Azure {
            account: "hallpass".to_owned(),
            key: "bm90IGEgc2VjcmV0IG9mIGFueW9uZSdz".to_owned(),
        },
    ]
}

/// A command with the store's credentials, and one variable more that is meant
/// for somebody else.
fn command(site: &Site, store: &ObjectStore, arguments: &[&str]) -> std::process::Command {
    let mut command = site.command(arguments);
    command.envs(store.environment());
    for vendor in ["AWS", "GOOGLE", "AZURE"] {
        command.env(format!("{vendor}_TIMEOUT"), "1s");
    }
    command
        .env("TOKEN", "somebody-elses")
        .env("SKIP_SIGNATURE", "true");
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_vendors_store_keeps_a_running_servers_segments() {
    for vendor in vendors() {
        keeps_segments(vendor).await;
    }
}

async fn keeps_segments(vendor: Vendor) {
    let store = ObjectStore::start(vendor.clone()).await;
    store.set(Mood::Corrupts);
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let audit = format!("[audit]\narchive = \"{}\"\n", store.url());
    let site = Site::new(&sim.url, &key, &audit);
    keeping::past_of(&[200, 120, 30])(&site);
    let whole: Vec<_> = site.trail().segments();
    let whole: Vec<_> = whole
        .iter()
        .map(|it| (it.clone(), std::fs::read(it).unwrap()))
        .collect();

    let mut serve = Serve::start_by(command(&site, &store, &["serve"]));
    let told = serve.process.wait_for(Stream::Err, |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let said = line["message"]
            .as_str()?
            .starts_with("audit trail: old segments");
        said.then(|| line["error"].as_str().unwrap_or("").to_owned())
    });
    assert!(told.contains("The local copy stays"), "{vendor:?}: {told}");
    assert_eq!(site.trail().segments().len(), 4, "{vendor:?}");
    serve.process.kill_9();

    store.set(Mood::Well);
    store.names().iter().for_each(|name| store.lose(name));
    serve = Serve::start_by(command(&site, &store, &["serve"]));
    let moved = |line: &str| {
        line.contains("segments were archived or removed")
            .then_some(())
    };
    serve.process.wait_for(Stream::Err, moved);
    assert_eq!(store.names().len(), 3, "{vendor:?}");
    assert_eq!(
        site.trail().segments().len(),
        2,
        "two are older than 90 days"
    );
    assert_eq!(verify(site.trail().dir(), &[]).json()["hash_only"], 4);

    let case = site.path("case");
    let restore = ["audit", "restore", "--to", case.to_str().unwrap()];
    Run::of(command(&site, &store, &restore), "").done();
    for (path, bytes) in &whole {
        let restored = std::fs::read(case.join(path.file_name().unwrap())).unwrap();
        assert_eq!(restored, *bytes, "{vendor:?}: byte for byte");
    }
    verify(&case, &["--partial"]).done();
    assert_eq!(store.strangers(), 0, "{vendor:?}");
}
