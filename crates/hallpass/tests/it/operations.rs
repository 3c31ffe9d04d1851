//! `docs/operations.md` and what it points to.

use std::{fs, path::Path, process::Command};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Run, Serve, Sim, Site, binary, post, random_hex, send};

const UNIT: &str = include_str!("../../../../ops/systemd/hallpass.service");

#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let here = binary().get_program().to_str().unwrap().to_owned();
    let file = folder.path().join("hallpass.service");
    fs::write(&file, UNIT.replace("/usr/local/bin/hallpass", &here)).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&file)
        .output()
        .expect("systemd is missing: run `cargo xtask test`, which installs it");
    let said = String::from_utf8_lossy(&verified.stderr);
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("hallpass"))
        .collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_commands_of_the_unit_are_commands() {
    for start in ["ExecStartPre=", "ExecStart="] {
        let line = UNIT
            .lines()
            .find_map(|line| line.strip_prefix(start))
            .unwrap();
        let mut words = line.split(' ').skip(1);
        let mut command = binary();
        command.args(words.by_ref().take_while(|word| *word != "--config"));
        assert_eq!(words.next(), Some("/etc/hallpass/hallpass.toml"));
        let help = Run::of(
            {
                command.arg("--help");
                command
            },
            "",
        );
        assert!(help.out.contains("--config"), "{line}: {}", help.out);
    }
}

/// A folder and all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_copy_of_a_stopped_servers_folder_goes_on_where_it_ended() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let site = Site::new(&sim.url, &key, "");
    let service = site.api_key("service", "svc");
    let mut serve = Serve::start(&site);
    let url = serve.url("/api/generate-client-secret");
    let minted = send(post(&serve.client, &url, &service, &json!({})))
        .await
        .json();
    assert!(serve.process.end(Signal::TERM).success());

    let other = Site::new(&sim.url, &key, "");
    fs::write(other.path("jwt-secret"), &site.jwt_secret).unwrap();
    copy(&site.path("data"), &other.path("data"));
    let restored = Serve::start(&other);
    let url = restored.url(&format!(
        "/api/client-secrets/{}",
        minted["id"].as_str().unwrap()
    ));
    let shown = send(restored.client.get(&url).bearer_auth(&service)).await;
    assert_eq!((shown.status, &shown.json()["id"]), (200, &minted["id"]));
    assert_eq!(other.trail().verified()["verdict"], "whole");
}
