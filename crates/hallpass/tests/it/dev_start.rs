//! The first minute: what `hallpass dev` writes, prints, and refuses.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::{Dev, Run, Stream, hallpass, process::clean};

fn everything_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(everything_below(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn dev_json_says_where_everything_is() {
    let dev = Dev::start();
    let file = &dev.file;
    for (url, scheme) in [
        (&file.url, "http://127.0.0.1:"),
        (&file.admin_url, "http://127.0.0.1:"),
        (&file.upstream_url, "http://127.0.0.1:"),
        (&file.tls_url, "https://127.0.0.1:"),
    ] {
        let port = url.strip_prefix(scheme).expect(url);
        assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{url}");
    }
    assert!(file.ca_file.is_absolute() && file.ca_file.is_file());
    assert!(file.api_key.starts_with("hp_svc_"));
    assert!(file.admin_key.starts_with("hp_adm_"));
    assert_eq!(file.user_jwt.split('.').count(), 3);
    assert_eq!(file.session_cookie.name, "next-auth.session-token");
    assert_eq!(file.session_cookie.value.split('.').count(), 5);
}

#[tokio::test]
async fn nobody_else_may_read_what_it_keeps() {
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let data_dir = crate::support::dev::data_dir(&dir);
    // Also in a directory that was there before, open to all.
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::set_permissions(&data_dir, PermissionsExt::from_mode(0o755)).unwrap();
    let dev = Dev::start_in(&dir);
    dev.minted().await;
    for path in everything_below(&data_dir).into_iter().skip(1) {
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
    }
}

#[test]
fn the_printed_curl_line_works_when_pasted() {
    let dev = Dev::start();
    let out = dev.process.text(Stream::Out);
    let line = out
        .lines()
        .find(|line| line.trim_start().starts_with("curl "))
        .expect("a curl line");
    let mut shell = clean(Command::new("sh"));
    shell.arg("-c").arg(line);
    let answer: Value = Run::of(shell, "").json();
    assert!(answer["value"].as_str().unwrap().starts_with("ek_"));
    assert_eq!(answer["profile"], "interview");
    assert_eq!(answer["mode"], "direct");
}

#[test]
fn the_banner_names_every_address_and_what_to_do_next() {
    let dev = Dev::start();
    let out = dev.process.text(Stream::Out);
    let file = &dev.file;
    for named in [
        &file.url,
        &file.tls_url,
        &file.admin_url,
        &file.upstream_url,
        "dev --upstream openai   with a real key",
    ] {
        assert!(out.contains(named), "{named} is not in\n{out}");
    }
    for secret in [&file.api_key, &file.admin_key, &file.session_cookie.value] {
        assert!(
            !out.contains(secret.as_str()),
            "only the person's token is shown"
        );
    }
}

#[test]
fn it_refuses_every_address_but_loopback() {
    let dir = tempfile::tempdir().unwrap();
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let data_dir = dir.path().join("data");
        let arguments = [
            "dev".as_ref(),
            "--host".as_ref(),
            host.as_ref(),
            "--port".as_ref(),
            "0".as_ref(),
            "--data-dir".as_ref(),
            data_dir.as_os_str(),
        ];
        let run = hallpass(arguments);
        assert_eq!(run.code, 2, "{host}");
        assert!(run.err.contains("loopback"), "{}", run.err);
        assert!(!data_dir.exists(), "a refused start leaves nothing");
    }
}

#[test]
fn the_real_upstream_needs_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let arguments = [
        "dev".as_ref(),
        "--upstream".as_ref(),
        "openai".as_ref(),
        "--port".as_ref(),
        "0".as_ref(),
        "--data-dir".as_ref(),
        data_dir.as_os_str(),
    ];
    let run = hallpass(arguments);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("OPENAI_API_KEY"), "{}", run.err);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "dev".as_ref(),
        "--port".as_ref(),
        port.as_ref(),
        "--data-dir".as_ref(),
        dir.path().as_os_str(),
    ];
    let run = hallpass(arguments);
    assert_eq!(run.code, 2);
    assert!(run.err.contains(&port), "{}", run.err);
}
