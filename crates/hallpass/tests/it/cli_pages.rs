//! Pages the program prints about itself.

use serde_json::Value;

use crate::support::{Dev, Run, hallpass, process::clean};

#[tokio::test]
async fn the_document_is_the_one_the_server_serves() {
    let printed: Value = hallpass(["openapi"]).json();
    let served = Dev::start().get("/openapi.json").await.json();
    assert_eq!(printed["info"], served["info"]);
    let paths = printed["paths"].as_object().unwrap();
    for path in [
        "/api/generate-client-secret",
        "/api/interview/realtime-token",
        "/v1/realtime/client_secrets",
        "/readyz",
    ] {
        assert!(paths.contains_key(path), "{path}");
        assert_eq!(paths[path], served["paths"][path], "{path}");
    }
}

#[test]
fn completions_are_a_script_the_shell_can_read() {
    let script = hallpass(["completions", "bash"]).done();
    assert!(script.contains("hallpass__subcmd__keys") || script.contains("hallpass__keys"));
    let mut shell = clean(std::process::Command::new("bash"));
    shell.arg("-n");
    assert_eq!(Run::of(shell, &script).err, "");
}

#[test]
fn the_manual_names_every_command() {
    let page = hallpass(["man"]).done();
    assert!(
        page.starts_with(".ie") || page.starts_with(".TH"),
        "{}",
        &page[..80]
    );
    for command in [
        "dev", "serve", "sim", "config", "keys", "auth", "grants", "audit",
    ] {
        assert!(page.contains(&format!("hallpass\\-{command}")), "{command}");
    }
}

/// The commands below one, as its help lists them.
fn commands_of(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|it| !it.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_shows_an_example_of_itself() {
    let mut open = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let mut arguments = path.clone();
        arguments.push("--help".to_owned());
        let help = hallpass(&arguments).done();
        let below = commands_of(&help);
        if below.is_empty() {
            seen += 1;
            let (_, examples) = help.split_once("\nExample").unwrap_or_default();
            let examples: Vec<_> = examples.split_whitespace().collect();
            let examples = examples.join(" ");
            let called = format!("hallpass {}", path.join(" "));
            assert!(examples.contains(&called), "{called}: {help}");
        }
        let deeper = below
            .into_iter()
            .map(|name| [path.clone(), vec![name]].concat());
        open.extend(deeper);
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let help = hallpass(["--help"]).done();
    assert!(help.contains("hallpass dev") && help.contains("Exit codes"));
    assert!(hallpass(["--version"]).done().starts_with("hallpass "));
    for command in ["dev", "serve", "sim"] {
        let help = hallpass([command, "--help"]).done();
        assert!(help.contains(&format!("hallpass {command}")), "{command}");
    }
}
