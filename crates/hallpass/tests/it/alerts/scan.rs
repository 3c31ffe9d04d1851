//! The app's own pages: a key in them is critical, and revoked where configured.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::House;
use crate::support::hook::Hook;

/// A page whose script can be changed; without one it is away.
struct Page {
    url: String,
    script: Script,
    serving: tokio::task::JoinHandle<()>,
}

type Script = Arc<Mutex<Option<String>>>;

impl Page {
    async fn serve(script: &str) -> Self {
        let script = Arc::new(Mutex::new(Some(script.to_owned())));
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", socket.local_addr().unwrap());
        let router = Router::new()
            .route("/", get(page))
            .route("/app.js", get(script_of))
            .with_state(script.clone());
        let serving = tokio::spawn(async move {
            axum::serve(socket, router).await.unwrap();
        });
        Self {
            url,
            script,
            serving,
        }
    }

    fn becomes(&self, script: &str) {
        *self.script.lock().unwrap() = Some(script.to_owned());
    }

    fn goes_away(&self) {
        *self.script.lock().unwrap() = None;
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn page(State(script): State<Script>) -> Response {
    match *script.lock().unwrap() {
        Some(_) => {
            let html = "<!doctype html><script src=\"/app.js\"></script>";
            ([(header::CONTENT_TYPE, "text/html")], html).into_response()
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn script_of(State(script): State<Script>) -> impl IntoResponse {
    let text = script.lock().unwrap().clone().unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/javascript")], text)
}

fn settings(page: &Page, more: &str) -> String {
    format!(
        "[scan]\norigins = [\"{}\"]\nevery_seconds = 1\nallow_private_addresses = true\n{more}",
        page.url
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_standard_key_in_a_page_is_critical_until_it_is_gone() {
    let page = Page::serve("fetch('/nothing')").await;
    let house = House::open(&settings(&page, "")).await;
    house.serve.until_told("searched for leaked keys", 1);
    page.becomes(&format!("const key = \"{}\";", house.key));
    let begun = house.hook.begins("key_in_client_code").await;
    assert_eq!(begun["severity"], "critical");
    assert_eq!(begun["cause"]["origin"], page.url);
    let summary = begun["summary"].as_str().unwrap();
    assert!(
        summary.contains("the standard key of upstream openai"),
        "{summary}"
    );
    for message in house.hook.sent() {
        assert!(!message.text.contains(&house.key), "never the key itself");
    }
    page.becomes("fetch('/nothing')");
    house.hook.ends("key_in_client_code").await;

    page.goes_away();
    let begun = house.hook.begins("scan_failing").await;
    assert_eq!(begun["cause"]["origin"], page.url);
    page.becomes("fetch('/nothing')");
    house.hook.ends("scan_failing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hallpass_key_in_a_page_is_revoked_and_a_forged_one_is_not() {
    let page = Page::serve("").await;
    let hook = Hook::start(204).await;
    let house = House::open_to(hook, &settings(&page, "revoke_finds = true\n"), |site| {
        crate::support::Serve::start(site)
    });
    // The leaked one is revoked; of the other only the public id is known.
    let leaked = house.key_of("service").await;
    let id = &house.service["hp_svc_".len()..][..12];
    let body = format!("hp_svc_{id}_{}", "A".repeat(32));
    let forged = format!("{body}{}", checksum(&body));
    page.becomes(&format!("a = \"{leaked}\"; b = \"{forged}\";"));
    house.hook.begins("key_in_client_code").await;
    house.serve.until_told("a leaked credential was revoked", 1);
    assert_eq!(house.mint_as(&leaked, &json!({})).await.status, 401);
    assert_eq!(house.mint_as(&house.service, &json!({})).await.status, 201);
    let records = house.site.trail().all();
    let added = records.iter().filter(|it| it.action() == "revocation.add");
    let added: Vec<_> = added.collect();
    assert_eq!(added.len(), 1);
    assert_eq!(added[0].fact("kind"), "key");
}

/// The checksum of a key's text: CRC-32 in base 62.
fn checksum(body: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = !0_u32;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc = (crc >> 1) ^ (0xEDB8_8320 * low);
        }
    }
    let mut value = !crc;
    let mut digits = [b'0'; 6];
    for place in digits.iter_mut().rev() {
        *place = DIGITS[(value % 62) as usize];
        value /= 62;
    }
    String::from_utf8(digits.to_vec()).unwrap()
}
