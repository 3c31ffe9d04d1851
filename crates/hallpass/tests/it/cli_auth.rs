//! `hallpass auth check`: why is my token refused?

use hallpass_core::Timestamp;
use serde_json::{Value, json};

use crate::support::{Run, Site, now};

fn site() -> Site {
    Site::new("http://127.0.0.1:9", "", "")
}

fn check(site: &Site, more: &[&str], lines: &[Value]) -> Run {
    let mut command = site.command(&["auth", "check"]);
    command.args(more).env_remove("OPENAI_API_KEY");
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Run::of(command, &input)
}

fn bearer(id: impl Into<Value>, token: &str) -> Value {
    json!({ "id": id.into(), "authorization": format!("Bearer {token}") })
}

#[test]
fn each_line_gets_its_verdict_in_order() {
    let site = site();
    let lines = [
        bearer(1, &site.token("user-1", 600)),
        bearer("two", &site.token("user-1", -600)),
        json!({ "id": null }),
        bearer(4, "not-a-token"),
        json!({ "id": 5, "cookies": { "theme": "dark" } }),
    ];
    let verdicts = check(&site, &[], &lines).json_lines();
    let told: Vec<(&Value, &str)> = verdicts
        .iter()
        .map(|verdict| (&verdict["id"], verdict["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (&json!(1), "accept"),
            (&json!("two"), "reject"),
            (&json!(null), "reject"),
            (&json!(4), "reject"),
            (&json!(5), "reject"),
        ]
    );
    assert_eq!(verdicts[0]["caller"]["subject"], "user-1");
    assert_eq!(verdicts[1]["code"], "expired_credential");
    assert_eq!(verdicts[2]["reason"], "credential_missing");
    assert!(verdicts.iter().all(|verdict| verdict["reason"].is_string()));
}

#[test]
fn a_token_is_judged_as_of_another_time() {
    let site = site();
    let token = site.token("user-1", 600);
    let at = |seconds: i64| Timestamp::from_second(now() + seconds).unwrap().to_string();
    for (seconds, verdict) in [
        (0, "accept"),
        (540, "accept"),
        (700, "reject"),
        (-7200, "reject"),
    ] {
        let verdicts = check(&site, &["--at", &at(seconds)], &[bearer(1, &token)]).json_lines();
        assert_eq!(
            verdicts[0]["verdict"], verdict,
            "at {seconds}: {verdicts:?}"
        );
    }
    assert_eq!(check(&site, &["--at", "yesterday"], &[]).code, 2);
}

#[test]
fn another_issuers_token_is_refused_and_not_repeated() {
    let token = site().token("user-1", 600);
    let run = check(&site(), &[], &[bearer(1, &token)]);
    assert!(!run.out.contains(&token));
    assert_eq!(run.json_lines()[0]["code"], "invalid_credential");
}

#[test]
fn a_line_that_is_none_is_named() {
    let site = site();
    let good = bearer(1, &site.token("user-1", 600));
    for bad in [
        json!("text"),
        json!({}),
        json!({ "id": 1, "authorisation": "x" }),
    ] {
        let run = check(&site, &[], &[good.clone(), bad]);
        assert_eq!(run.code, 2);
        assert!(run.err.contains("line 2"), "{}", run.err);
    }
}
