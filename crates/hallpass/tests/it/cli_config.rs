//! `hallpass config`: what is wrong, where; what is in force; what there is.

use std::process::Command;

use serde_json::Value;

use crate::support::{Run, Site, binary, hallpass, random_hex};

fn site(more: &str) -> Site {
    Site::new(
        "http://127.0.0.1:9",
        &format!("sk-{}", random_hex(16)),
        more,
    )
}

/// The number of the line that begins so.
fn line_of(site: &Site, start: &str) -> usize {
    let text = std::fs::read_to_string(site.path("hallpass.toml")).unwrap();
    1 + text
        .lines()
        .position(|line| line.starts_with(start))
        .unwrap()
}

#[test]
fn a_good_configuration_is_good() {
    let run = site("").run(&["config", "check"]);
    assert!(run.out.contains("good"), "{} {}", run.out, run.err);
    run.done();
}

#[test]
fn a_bad_one_is_refused_with_its_line() {
    for (more, start, named) in [
        ("[log]\nlevle = \"info\"", "levle", "level"),
        (
            "[audit]\nretention_days = \"a year\"",
            "retention_days",
            "whole number",
        ),
        (
            "[roles.odd]\nprofiles = [\"nobody\"]",
            "profiles = [\"nobody\"]",
            "nobody",
        ),
        (
            "[server.tls]\ncert_file = \"none.pem\"",
            "[server.tls]",
            "key_file",
        ),
        ("[log\n", "[log", "TOML"),
    ] {
        let site = site(more);
        let run = site.run(&["config", "check"]);
        assert_eq!(run.code, 2, "{more}");
        let place = format!("hallpass.toml:{}:", line_of(&site, start));
        assert!(run.err.contains(&place), "{place} is not in {}", run.err);
        assert!(run.err.contains(named), "{named} is not in {}", run.err);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let run = hallpass(["config", "check", "--config", "/nowhere/hallpass.toml"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("/nowhere/hallpass.toml"), "{}", run.err);
}

#[test]
fn a_server_without_authentication_does_not_start() {
    let site = site("");
    std::fs::write(
        site.path("hallpass.toml"),
        "[server]\ndata_dir = \"data\"\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    let run = site.run(&["serve"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.err.contains("auth"), "{}", run.err);
}

#[test]
fn a_server_without_a_key_for_openai_does_not_start() {
    let site = site("");
    let mut command = site.command(&["serve"]);
    command.env_remove("OPENAI_API_KEY");
    let run = Run::of(command, "");
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.err.contains("OPENAI_API_KEY"), "{}", run.err);
}

fn layered(site: &Site) -> Command {
    let mut command = site.command(&["config", "print", "--set", "limits.global_per_minute=77"]);
    command.env("HALLPASS_LOG_LEVEL", "debug");
    command
}

#[test]
fn what_is_in_force_is_printed_without_secrets() {
    let site = site("");
    let printed = Run::of(layered(&site), "").done();
    for setting in ["debug", "77", "https://app.example.test", "hallpass_core"] {
        let there = printed.contains(setting);
        assert_eq!(there, setting != "hallpass_core", "{setting} in\n{printed}");
    }
    assert!(!printed.contains(&site.standard_key));
    assert!(!printed.contains(&site.jwt_secret));
}

#[test]
fn the_schema_is_one_and_names_every_section() {
    let schema: Value = hallpass(["config", "schema"]).json();
    assert!(
        schema["$schema"]
            .as_str()
            .unwrap()
            .contains("json-schema.org")
    );
    for section in [
        "server", "upstream", "auth", "profiles", "roles", "limits", "audit", "log", "store",
    ] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
}

#[test]
fn bad_use_is_exit_code_2() {
    for arguments in [
        &["config"][..],
        &["frobnicate"],
        &["config", "check", "--set", "nonsense"],
        &[],
    ] {
        let mut command = binary();
        command.args(arguments);
        assert_eq!(Run::of(command, "").code, 2, "{arguments:?}");
    }
}
