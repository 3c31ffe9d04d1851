//! A marker as OpenAI's key, searched for in everything the server lets out.

use std::path::Path;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{
    Answer, Run, Serve, Sim, Site, Stream, needle::Needle, post, random_hex, send, sim,
};

const MINTS: [&str; 3] = [
    "/api/generate-client-secret",
    "/api/interview/realtime-token",
    "/v1/realtime/client_secrets",
];

/// A marker that no scanner takes for a real key.
fn marker() -> String {
    ["sk-", "proj-", "canary", &random_hex(24)].concat()
}

/// Everything that was let out, by where it was seen.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn answer(&mut self, place: &str, answer: &Answer) {
        self.0.push((place.to_owned(), answer.whole().into_bytes()));
    }

    fn run(&mut self, place: &str, run: &Run) {
        let said = format!("{}\n{}", run.out, run.err);
        self.0.push((place.to_owned(), said.into_bytes()));
    }

    fn text(&mut self, place: &str, text: &str) {
        self.0.push((place.to_owned(), text.as_bytes().to_vec()));
    }

    fn files(&mut self, dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
                continue;
            }
            let content = std::fs::read(&path).unwrap();
            self.0.push((path.display().to_string(), content));
        }
    }

    fn assert_free_of(&self, needles: &[Needle]) {
        for (place, hay) in &self.0 {
            for needle in needles {
                needle.assert_absent(place, hay);
            }
        }
    }
}

/// A server at its most talkative, over a simulator that takes the marker.
struct House {
    serve: Serve,
    sim: Sim,
    site: Site,
    service_key: String,
    operator_key: String,
}

impl House {
    fn open(key: &str) -> Self {
        let sim = Sim::start(key);
        let site = Site::new(&sim.url, key, "[log]\nlevel = \"trace\"\n");
        let service_key = site.api_key("service", "svc");
        let operator_key = site.api_key("operator", "adm");
        Self {
            serve: Serve::start(&site),
            sim,
            site,
            service_key,
            operator_key,
        }
    }

    fn client(&self) -> &Client {
        &self.serve.client
    }

    /// Nothing is broken any more, and the breaker lets all through.
    async fn repair(&self) {
        sim::no_faults(self.client(), &self.sim.url).await;
        let url = self.serve.admin_url("/api/admin/upstreams/openai/breaker");
        let state = json!({ "state": "auto" });
        let answer = send(post(self.client(), &url, &self.operator_key, &state)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn mint(&self, path: &str) -> Answer {
        let url = self.serve.url(path);
        send(post(self.client(), &url, &self.service_key, &json!({}))).await
    }
}

/// An upstream that repeats the key it was sent, as OpenAI's own errors do.
fn faults(key: &str) -> Vec<Value> {
    let route = "client_secrets";
    let message = format!("Incorrect API key provided: {key}. Key {key} of {key}.");
    let told = json!({ "error": { "message": message, "type": "invalid_request_error", "code": key, "param": key } });
    let headers = json!({ "x-echo": key, "x-request-id": key, "location": format!("https://{key}.example/"), "retry-after": key });
    let mut faults = Vec::new();
    for status in [
        202, 204, 302, 307, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504,
    ] {
        faults.push(json!({ "route": route, "kind": "status", "status": status, "headers": headers, "body": told }));
        faults.push(json!({ "route": route, "kind": "status", "status": status }));
    }
    let shown = json!({
        "value": format!("ek_{key}"), "expires_at": 4_000_000_000_u32,
        "session": { "type": "realtime", "model": key },
    });
    for body in [
        told,
        shown,
        json!(format!("<html>{key}</html>")),
        json!(key),
    ] {
        faults
            .push(json!({ "route": route, "kind": "malformed", "body": body, "headers": headers }));
        faults.push(json!({ "route": route, "kind": "truncate", "body": body }));
    }
    for kind in ["reset", "close", "truncate", "malformed"] {
        faults.push(json!({ "route": route, "kind": kind }));
    }
    faults
}

/// Every good and bad way to ask, while OpenAI is well.
async fn ask_all_ways(house: &House, key: &str, seen: &mut Seen) -> Vec<String> {
    let mut secrets = Vec::new();
    for path in MINTS {
        let answer = house.mint(path).await;
        let json = answer.json();
        let value = json["value"].as_str().or(json["token"].as_str()).unwrap();
        secrets.push(value.to_owned());
        seen.answer(path, &answer);
        for method in [Method::GET, Method::PUT, Method::OPTIONS, Method::HEAD] {
            let request = house.client().request(method, house.serve.url(path));
            seen.answer(path, &send(request).await);
        }
        for body in [
            "{",
            "[]",
            "{\"bogus\":1}",
            "{\"expires_after\":{\"seconds\":9}}",
        ] {
            let request = house
                .client()
                .post(house.serve.url(path))
                .bearer_auth(&house.service_key);
            let request = request.header("content-type", "application/json");
            seen.answer(path, &send(request.body(body)).await);
        }
        // Someone who holds OpenAI's key presents it to us.
        for bearer in [key, "nonsense", "hp_svc_abc_def"] {
            let request = house.client().post(house.serve.url(path));
            seen.answer(path, &send(request.bearer_auth(bearer)).await);
        }
    }
    secrets
}

/// Every page there is, on both listeners.
async fn read_all_pages(house: &House, seen: &mut Seen) {
    let pages = [
        "/api/client-secrets",
        "/api/client-secrets/gr_none",
        "/api/admin/grants",
        "/api/admin/grants/gr_none",
        "/livez",
        "/readyz",
        "/health",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/docs/",
        "/docs/errors",
        "/",
        "/nowhere",
        "/v1/models",
    ];
    for path in pages {
        for url in [house.serve.url(path), house.serve.admin_url(path)] {
            for key in [&house.service_key, &house.operator_key] {
                let request = house.client().get(&url).bearer_auth(key);
                seen.answer(&url, &send(request).await);
            }
        }
    }
}

/// Commands on good and on bad configurations that hold the key.
fn run_all_commands(site: &Site, key: &str, seen: &mut Seen) {
    for arguments in [
        &["config", "check"][..],
        &["config", "print"],
        &["keys", "list"],
    ] {
        seen.run(&format!("{arguments:?}"), &site.run(arguments));
    }
    for (number, line) in [
        format!("api_key = \"{key}"),
        format!("api_key = [\"{key}\"]"),
        format!("api_kye = \"{key}\""),
        format!("api_key = \"{key}\"\napi_key = \"{key}\""),
        format!("api_key = \"{key} \""),
        format!("base_url = \"https://user:{key}@127.0.0.1/v1\""),
        format!("api_key = \"{key}\"\napi_key_file = \"none\""),
        format!("api_key = {key}"),
    ]
    .iter()
    .enumerate()
    {
        let bad = Site::new("http://127.0.0.1:9", key, "");
        let text = std::fs::read_to_string(bad.path("hallpass.toml")).unwrap();
        let text = text.replace("timeout_ms = 2000", line);
        std::fs::write(bad.path("hallpass.toml"), text).unwrap();
        for arguments in [&["config", "check"][..], &["config", "print"]] {
            seen.run(&format!("{arguments:?} {number}"), &bad.run(arguments));
        }
        let mut command = bad.command(&["config", "check"]);
        command.env_remove("OPENAI_API_KEY");
        seen.run(&format!("file alone {number}"), &Run::of(command, ""));
        let mut command = bad.command(&["config", "check"]);
        command
            .env("HALLPASS_UPSTREAM_API_KEY", key)
            .env("OPENAI_API_KEY_FILE", key);
        seen.run(&format!("environment {number}"), &Run::of(command, ""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openais_key_is_nowhere_but_on_its_way_to_openai() {
    let (key, mut seen) = (marker(), Seen::default());
    let mut house = House::open(&key);
    let secrets = ask_all_ways(&house, &key, &mut seen).await;
    for (fault, path) in faults(&key).into_iter().zip(MINTS.into_iter().cycle()) {
        sim::fault(house.client(), &house.sim.url, fault.clone()).await;
        let answer = house.mint(path).await;
        assert!(answer.status >= 400, "{fault} gave {}", answer.text);
        seen.answer(&format!("{fault} at {path}"), &answer);
        house.repair().await;
    }
    read_all_pages(&house, &mut seen).await;

    // The marker was in use: OpenAI's side took it, each time.
    let log = sim::log(house.client(), &house.sim.url).await;
    let last4 = &key[key.len() - 4..];
    assert!(
        log.len() > faults(&key).len()
            && log
                .iter()
                .all(|entry| entry["credential_last_four"] == last4)
    );

    assert!(
        house
            .serve
            .process
            .end(rustix::process::Signal::TERM)
            .success()
    );
    run_all_commands(&house.site, &key, &mut seen);
    let log = house.serve.process.text(Stream::Err);
    assert!(
        log.contains("\"level\":\"TRACE\""),
        "the log was at its most talkative"
    );
    let mut kept = Seen::default();
    kept.text("the log", &log);
    kept.files(&house.site.path("data"));
    let ours = [
        Needle::new("OpenAI's key", &key),
        Needle::new("the service's key", &house.service_key),
        Needle::new("the operator's key", &house.operator_key),
        Needle::new("the JWT secret", &house.site.jwt_secret),
    ];
    seen.assert_free_of(&ours);
    kept.assert_free_of(&ours);
    for secret in &secrets {
        let holders = Needle::new("a client secret", secret);
        let answered = |(_, hay): &(String, Vec<u8>)| holders.found_in(hay).is_some();
        assert!(
            seen.0.iter().any(answered),
            "the search finds what is there"
        );
        kept.assert_free_of(&[Needle::new("a client secret", secret)]);
    }
}
