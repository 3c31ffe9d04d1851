//! Secrets appear nowhere; the printed settings say where each was set.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use hallpass_config::{Loaded, from_toml_str};
use insta::assert_snapshot;

/// In two pieces, so that no scanner takes it for a leak.
const CANARY: &str = concat!("cAnArY7Lr4Wb8Ys1Nc6", "Hd3Jf5Gp0RkT9vQ2mZx");

fn loaded() -> Loaded {
    let text = format!(
        r#"
[store]
durable = "postgres://hallpass:{CANARY}@db/hallpass"
[[upstream]]
api_key = "{CANARY}"
[[auth.jwt]]
issuer = "https://i.example"
audience = "hallpass"
algorithms = ["HS256"]
secret = "{CANARY}"
[[auth.session_cookie]]
format = "authjs-v5"
secrets = ["{CANARY}", "{CANARY}2"]
[profiles.interview.session]
type = "realtime"
model = "gpt-realtime-2.1"
[[profiles.interview.session.tools]]
type = "mcp"
server_label = "crm"
authorization = "{CANARY}"
headers = {{ X-Key = "{CANARY}" }}
"#
    );
    from_toml_str(&text, Path::new("")).unwrap()
}

#[test]
fn secrets_are_in_no_text() {
    let loaded = loaded();
    for text in [
        format!("{loaded:?}"),
        format!("{loaded:#?}"),
        loaded.to_toml(),
    ] {
        assert!(!text.contains(&CANARY[..8]), "{text}");
    }
}

#[test]
fn what_a_webhook_hides_is_in_no_text() {
    let text = format!(
        "[[alerts.webhook]]\nname = \"chat\"\nformat = \"slack\"\nurl = \"https://hooks.example.com/{CANARY}\"\n\
         [[alerts.webhook]]\nname = \"pager\"\nformat = \"pagerduty\"\nsecret = \"{CANARY}\"\n"
    );
    let loaded = from_toml_str(&text, Path::new("")).unwrap();
    for text in [format!("{loaded:#?}"), loaded.to_toml()] {
        assert!(text.contains("pager"), "{text}");
        assert!(!text.contains(&CANARY[..8]), "{text}");
    }
}

#[test]
fn the_printed_settings_are_toml_with_origins() {
    let printed = loaded().to_toml();
    toml::from_str::<toml::Table>(&printed).unwrap();
    assert_snapshot!(printed, @r#"
    [alerts]
    look_ms = 1000  # default
    retention_days = 90  # default
    rule = []  # default
    webhook = []  # default

    [audit]
    checkpoint_records = 10000  # default
    checkpoint_seconds = 10  # default
    dir = ".hallpass/audit"  # default
    gather_window_us = 1000  # default
    hot_days = 90  # default
    primary = "file"  # default
    retention_days = 365  # default
    segment_max_bytes = 67108864  # default
    segment_max_hours = 24  # default
    ship_to = []  # default

    [auth]
    api_keys = true  # default

    [[auth.jwt]]
    algorithms = ["HS256"]  # hallpass.toml:9:1
    allow_private_addresses = false  # default
    audience = "hallpass"  # hallpass.toml:8:1
    discovery = false  # default
    issuer = "https://i.example"  # hallpass.toml:7:1
    leeway_seconds = 30  # default
    name = "jwt"  # default
    secret = "********"  # hallpass.toml:10:1

    [auth.jwt.claims]
    subject = "sub"  # default

    [[auth.session_cookie]]
    format = "authjs-v5"  # hallpass.toml:12:1
    leeway_seconds = 15  # default
    name = "session"  # default
    secrets = ["********", "********"]  # hallpass.toml:13:1

    [grants]
    retention_days = 90  # default

    [limits]
    bad_keys_per_minute = 10  # default

    [log]
    format = "json"  # default
    level = "info"  # default

    [mint]
    idempotency_seconds = 30  # default
    max_in_flight = 512  # default
    max_wait_ms = 100  # default
    retry_budget_percent = 10  # default

    [profiles.interview]
    echo = []  # default
    expires_after_seconds = 60  # default
    idle_seconds = 600  # default
    lease_seconds = 0  # default
    max_expires_after_seconds = 7200  # default
    max_lineage_seconds = 14400  # default
    max_session_seconds = 1800  # default
    mode = "direct"  # default
    modes = ["direct"]  # default
    on_drift = "correct"  # default
    overrides = []  # default
    refresh_grace_seconds = 10  # default
    require_session_id = false  # default
    system_items = false  # default

    [profiles.interview.session]
    model = "gpt-realtime-2.1"  # hallpass.toml:16:1
    type = "realtime"  # hallpass.toml:15:1

    [[profiles.interview.session.tools]]
    authorization = "********"  # hallpass.toml:20:1
    headers = "********"  # hallpass.toml:21:1
    server_label = "crm"  # hallpass.toml:19:1
    type = "mcp"  # hallpass.toml:18:1

    [roles.candidate]
    permissions = ["grants:create", "grants:read:own", "grants:revoke:own"]  # default
    profiles = ["interview"]  # default

    [roles.candidate.budget]
    usd_per_day = 5.0  # default

    [roles.candidate.limits]
    concurrent_sessions = 1  # default
    per_hour = 60  # default
    per_minute = 5  # default

    [roles.service]
    permissions = ["grants:*", "interviews:*"]  # default
    profiles = ["*"]  # default

    [scan]
    allow_private_addresses = false  # default
    every_seconds = 21600  # default
    origins = []  # default
    revoke_finds = false  # default

    [server]
    admin_listen = "127.0.0.1:8788"  # default
    allowed_origins = []  # default
    body_seconds = 10  # default
    data_dir = ".hallpass"  # default
    drain_delay_seconds = 5  # default
    drain_seconds = 30  # default
    first_byte_seconds = 10  # default
    head_seconds = 10  # default
    idle_seconds = 60  # default
    listen = "127.0.0.1:8787"  # default
    max_connections = 10000  # default
    trusted_proxies = []  # default

    [store]
    durable = "postgres://********"  # hallpass.toml:3:1
    replicas = 1  # default
    revocations_stale_seconds = 10  # default
    shared = "memory"  # default
    shared_timeout_ms = 100  # default

    [store.postgres]
    lock_timeout_ms = 2000  # default
    max_connections = 16  # default
    patience_ms = 3000  # default
    statement_timeout_ms = 5000  # default
    trail_days = 90  # default

    [traces]
    batch_spans = 512  # default
    enabled = true  # default
    gather_ms = 5000  # default
    queue_spans = 2048  # default
    ratio = 1.0  # default
    sampler = "parentbased_traceidratio"  # default
    service_name = "hallpass"  # default
    timeout_ms = 10000  # default

    [[upstream]]
    api_key = "********"  # hallpass.toml:5:1
    base_url = "https://api.openai.com/v1"  # default
    connect_timeout_ms = 3000  # default
    kind = "openai"  # default
    name = "openai"  # default
    timeout_ms = 5000  # default
    traceparent = false  # default
    weight = 1  # default

    [upstream.breaker]
    consecutive_failures = 5  # default
    failure_percent = 50  # default
    max_open_ms = 300000  # default
    min_calls = 20  # default
    open_ms = 30000  # default
    window_ms = 10000  # default
    "#);
}

#[test]
fn printed_settings_without_secrets_load_again() {
    let first = from_toml_str("[server]\nlisten = \"[::1]:1\"\n", Path::new("")).unwrap();
    let second = from_toml_str(&first.to_toml(), Path::new("")).unwrap();
    let values = |loaded: &Loaded| serde_json::to_value(&loaded.config).unwrap();
    let (mut first, second) = (values(&first), values(&second));
    // The trail's folder is printed as resolved, under the data folder.
    first["audit"]["dir"] = second["audit"]["dir"].clone();
    assert_eq!(first, second);
}

#[test]
fn printed_secrets_cannot_be_taken_for_real_ones() {
    let printed = loaded().to_toml();
    let told = from_toml_str(&printed, Path::new(""))
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("store.durable: the password is hidden"),
        "{told}"
    );
}

#[test]
fn no_problem_repeats_a_secret() {
    for text in [
        format!("[[upstream]]\napi_key = \"{CANARY} \"\n"),
        format!("[[upstream]]\napi_key = [\"{CANARY}\"]\n"),
        format!("[[upstream]]\napi_key = \"{CANARY}\n"),
        format!("[[upstream]]\napi_key = {CANARY}\n"),
        format!("[store]\ndurable = \"mysql://h:{CANARY}@db/hallpass\"\n"),
        format!("[[upstream]]\nbase_url = \"https://h:{CANARY}@gateway.example/v1\"\n"),
        format!("[[auth.session_cookie]]\nformat = \"authjs-v5\"\nsecrets = \"{CANARY}\"\n"),
        format!("[[auth.session_cookie]]\nformat = \"authjs-v5\"\nsecrets = [\"{CANARY}\\n\"]\n"),
    ] {
        let told = from_toml_str(&text, Path::new(""))
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(!told.contains(&CANARY[..8]), "{told}");
    }
}
