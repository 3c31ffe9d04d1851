//! Every recorded credential gets its verdict: from `auth check`, and over HTTP.

use std::{collections::BTreeMap, path::Path};

use hallpass_core::Timestamp;
use reqwest::header::{COOKIE, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Run, Serve, Site, binary, now};

const JWT: &str = include_str!("../../../auth/tests/vectors/jwt_attacks.json");
const SESSIONS: &str = include_str!("../../../auth/tests/vectors/nextauth.json");

fn rows(vectors: &str) -> (Value, Vec<Value>) {
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let rows = vectors["vectors"].as_array().unwrap().clone();
    (vectors, rows)
}

fn text<'v>(row: &'v Value, member: &str) -> &'v str {
    row[member].as_str().unwrap()
}

/// The `[[auth.jwt]]` of a recorded configuration, its keys in the folder.
fn issuer(vectors: &Value, config: &str, dir: &Path) -> String {
    let recorded = &vectors["config"][config];
    let keys = if config == "jwks" {
        std::fs::write(dir.join("jwks.json"), recorded["jwks"].to_string()).unwrap();
        "algorithms = [\"RS256\", \"ES256\", \"EdDSA\"]\njwks_file = \"jwks.json\"".to_owned()
    } else {
        let secret = text(recorded, "secret");
        format!("algorithms = [\"HS256\"]\nsecret = \"{secret}\"")
    };
    let (issuer, audience) = (text(recorded, "issuer"), text(recorded, "audience"));
    format!(
        "[[auth.jwt]]\nname = \"recorded\"\nissuer = \"{issuer}\"\naudience = \"{audience}\"\n{keys}\n"
    )
}

fn session(row: &Value) -> String {
    let format = match row["version"].as_u64() {
        Some(4) => "next-auth-v4",
        _ => "authjs-v5",
    };
    let (cookie, secrets) = (text(row, "cookie_name"), &row["secrets"]);
    format!(
        "[[auth.session_cookie]]\nname = \"web\"\nformat = \"{format}\"\ncookie = \"{cookie}\"\nsecrets = {secrets}\n"
    )
}

fn cookies(row: &Value) -> Value {
    match &row["cookies"] {
        Value::Object(cookies) => Value::Object(cookies.clone()),
        _ => json!({ text(row, "cookie_name"): row["token"] }),
    }
}

/// What `auth check` says of lines, by their ids.
fn check(auth: &str, dir: &Path, at: i64, lines: &[Value]) -> BTreeMap<String, Value> {
    let file = dir.join("auth.toml");
    std::fs::write(&file, auth).unwrap();
    let at = Timestamp::from_second(at).unwrap().to_string();
    let mut command = binary();
    command
        .args(["auth", "check", "--at", &at, "--config"])
        .arg(file);
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let verdicts = Run::of(command, &input).json_lines();
    assert_eq!(verdicts.len(), lines.len());
    let by_id = |verdict: Value| (text(&verdict, "id").to_owned(), verdict);
    verdicts.into_iter().map(by_id).collect()
}

fn assert_verdict(row: &Value, verdict: &Value) {
    let (id, expect) = (text(row, "id"), text(row, "expect"));
    let said = text(verdict, "verdict");
    let right = expect == said
        || (expect == "reject_or_accept_chunks")
        || (expect.starts_with("accept") && said == "accept");
    assert!(right, "{id}: {expect}, got {verdict}");
    assert_ne!(text(verdict, "reason"), "", "{id}");
}

#[test]
fn auth_check_judges_every_recorded_token() {
    let (vectors, rows) = rows(JWT);
    for config in ["jwks", "hs256"] {
        let dir = TempDir::new().unwrap();
        let auth = issuer(&vectors, config, dir.path());
        let of = rows.iter().filter(|row| text(row, "config") == config);
        let of: Vec<&Value> = of.collect();
        let line = |row: &&Value| json!({"id": row["id"], "authorization": format!("Bearer {}", text(row, "token"))});
        let lines: Vec<Value> = of.iter().map(line).collect();
        let verdicts = check(&auth, dir.path(), vectors["now"].as_i64().unwrap(), &lines);
        for row in of {
            assert_verdict(row, &verdicts[text(row, "id")]);
        }
    }
}

#[test]
fn auth_check_judges_every_recorded_session() {
    let (_, rows) = rows(SESSIONS);
    let mut by_settings: BTreeMap<(String, i64), Vec<&Value>> = BTreeMap::new();
    for row in &rows {
        let at = row["now"].as_i64().unwrap();
        by_settings.entry((session(row), at)).or_default().push(row);
    }
    for ((auth, at), of) in by_settings {
        let dir = TempDir::new().unwrap();
        let lines: Vec<Value> = of
            .iter()
            .map(|row| json!({"id": row["id"], "cookies": cookies(row)}))
            .collect();
        let verdicts = check(&auth, dir.path(), at, &lines);
        for row in of {
            assert_verdict(row, &verdicts[text(row, "id")]);
        }
    }
}

/// A server whose login is a recorded one.
fn serve(login: impl FnOnce(&Path) -> String) -> (Site, Serve) {
    let site = Site::new("http://127.0.0.1:9", "unused", "");
    let path = site.path("hallpass.toml");
    let configuration = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = configuration.split_once("[[auth.jwt]]").unwrap();
    let (_, after) = rest.split_once("[auth]\n").unwrap();
    let login = login(site.dir.path());
    std::fs::write(path, format!("{before}{login}\n[auth]\n{after}")).unwrap();
    let serve = Serve::start(&site);
    (site, serve)
}

/// Whether a row's verdict is the same today: a server's clock is the machine's.
fn holds_today(recorded_at: i64, row: &Value) -> bool {
    let of_the_moment = ["-exp-", "-nbf-", "iat-future"];
    let lasting = !of_the_moment
        .iter()
        .any(|part| text(row, "id").contains(part));
    lasting && (text(row, "expect") == "reject" || now() >= recorded_at)
}

#[tokio::test]
async fn a_server_answers_every_recorded_token() {
    let (vectors, rows) = rows(JWT);
    let recorded_at = vectors["now"].as_i64().unwrap();
    for config in ["jwks", "hs256"] {
        let (site, serve) = serve(|dir| issuer(&vectors, config, dir));
        let mut asked = 0;
        for row in rows.iter().filter(|row| text(row, "config") == config) {
            let header = HeaderValue::from_str(&format!("Bearer {}", text(row, "token")));
            let (Ok(header), true) = (header, holds_today(recorded_at, row)) else {
                continue;
            };
            let request = serve.client.get(serve.url("/api/client-secrets"));
            let answer = request
                .header("authorization", header)
                .send()
                .await
                .unwrap();
            let status = answer.status().as_u16();
            let accepted = text(row, "expect") == "accept";
            // A head that is larger than any is refused before it is read.
            let right = if accepted {
                status == 200
            } else {
                matches!(status, 401 | 431)
            };
            assert!(right, "{}: {status}", text(row, "id"));
            asked += usize::from(status != 431);
        }
        assert!(asked > 10);
        let records = site.trail().records();
        let refused = records
            .iter()
            .filter(|record| record.action() == "auth.check");
        let read = records
            .iter()
            .filter(|record| record.action() == "grant.read");
        assert_eq!(
            refused.count() + read.count(),
            asked,
            "one record for each request"
        );
    }
}

#[tokio::test]
async fn a_server_answers_every_recorded_session() {
    let (_, rows) = rows(SESSIONS);
    let plain = "hallpass-test-secret-A-0123456789abcdef";
    for version in [4, 5] {
        let of = rows.iter().filter(|row| {
            let common = ["next-auth.session-token", "authjs.session-token"];
            row["version"] == version
                && row["secrets"] == json!([plain])
                && common.contains(&text(row, "cookie_name"))
        });
        let of: Vec<&Value> = of.collect();
        let (_site, serve) = serve(|_| session(of[0]));
        for row in of {
            let pairs = cookies(row);
            let pairs = pairs.as_object().unwrap().iter();
            let header: Vec<String> = pairs
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
                .collect();
            let Ok(header) = HeaderValue::from_str(&header.join("; ")) else {
                continue;
            };
            if !holds_today(row["now"].as_i64().unwrap(), row) {
                continue;
            }
            let request = serve.client.get(serve.url("/api/client-secrets"));
            let answer = request.header(COOKIE, header).send().await.unwrap();
            let status = answer.status().as_u16();
            let right = match text(row, "expect") {
                "reject" => matches!(status, 401 | 431),
                "reject_or_accept_chunks" => matches!(status, 200 | 401),
                _ => status == 200,
            };
            assert!(right, "{}: {status}", text(row, "id"));
        }
    }
}
