//! `hallpass migrate`, and commands that reach the database.

use hallpass_testkit::postgres::database;

use super::pair::command;
use crate::support::{Run, Site};

fn site(address: &str) -> Site {
    let site = Site::new(
        "http://127.0.0.1:1",
        "sk-none",
        "[store]\ndurable_file = \"durable\"\n",
    );
    std::fs::write(site.path("durable"), format!("{address}\n")).unwrap();
    site
}

fn run(site: &Site, arguments: &[&str]) -> Run {
    Run::of(command(site, arguments), "")
}

#[test]
fn migrating_says_what_it_did_and_does_it_once() {
    let kept = database();
    let site = site(&kept.url());
    let first = run(&site, &["migrate"]).done();
    assert!(first.starts_with("applied 0001 initial\n"), "{first}");
    assert!(
        first.contains("Done: the database is at version "),
        "{first}"
    );
    let second = run(&site, &["migrate"]).done();
    assert!(
        second.starts_with("Nothing to do: the database is at version "),
        "{second}"
    );
}

#[test]
fn a_file_needs_no_migrating_and_says_so() {
    let site = Site::new("http://127.0.0.1:1", "sk-none", "");
    let refused = run(&site, &["migrate"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("no PostgreSQL address"),
        "{}",
        refused.err
    );
}

#[test]
fn keys_are_made_in_the_database_without_a_server() {
    let kept = database();
    let site = site(&kept.url());
    let key = super::pair::api_key(&site, "service", "svc");
    assert_eq!(kept.run("SELECT COUNT(*) FROM api_keys"), "1");
    let listed = run(&site, &["keys", "list", "--json"]).json_lines();
    assert_eq!(listed[0]["name"], "service");
    assert!(!kept.run("SELECT * FROM api_keys").contains(&key));
}

/// The address holds a password, and is nowhere to be seen.
#[test]
fn the_password_is_shown_nowhere() {
    let canary = format!("canary{}", std::process::id());
    let address = format!("postgres://nobody:{canary}@127.0.0.1:1/x");
    let by_file = site(&address);
    let by_member = Site::new(
        "http://127.0.0.1:1",
        "sk-none",
        &format!("[store]\ndurable = \"{address}\"\n[store.postgres]\npatience_ms = 100\n"),
    );
    for (site, arguments) in [
        (&by_file, &["migrate"][..]),
        (&by_file, &["config", "print"]),
        (&by_file, &["serve"]),
        (&by_member, &["config", "print"]),
        (&by_member, &["config", "check"]),
        (&by_member, &["migrate"]),
        (&by_member, &["keys", "list"]),
    ] {
        let said = run(site, arguments);
        assert!(!said.out.contains(&canary), "{arguments:?}: {}", said.out);
        assert!(!said.err.contains(&canary), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn an_address_by_file_and_by_member_is_refused() {
    let site = site("postgres://127.0.0.1:1/x");
    site.change(
        "[store]\n",
        "[store]\ndurable = \"postgres://127.0.0.1:2/y\"\n",
    );
    let refused = run(&site, &["config", "check"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .err
            .contains("`durable` and `durable_file` are both set"),
        "{}",
        refused.err
    );
    let empty = Site::new(
        "http://127.0.0.1:1",
        "sk-none",
        "[store]\ndurable_file = \"durable\"\n",
    );
    std::fs::write(empty.path("durable"), "mysql://x\n").unwrap();
    let refused = run(&empty, &["config", "check"]);
    assert!(
        refused.err.contains("holds no address of a store"),
        "{}",
        refused.err
    );
}
