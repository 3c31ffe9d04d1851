//! Limits before authentication, and of what a caller holds at once.

use secrecy::SecretString;
use serde_json::json;

use crate::support::{Answer, Serve, Sim, Site, now, post, random_hex, send};

fn start(more: &str, change: impl FnOnce(String) -> String) -> (Sim, Site, Serve, String) {
    let standard_key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&standard_key);
    let site = Site::new(&sim.url, &standard_key, more);
    let path = site.path("hallpass.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, change(text)).unwrap();
    let key = site.api_key("service", "svc");
    let serve = Serve::start(&site);
    (sim, site, serve, key)
}

async fn mint(serve: &Serve, bearer: &str) -> Answer {
    let url = serve.url("/api/generate-client-secret");
    send(post(&serve.client, &url, bearer, &json!({}))).await
}

/// A key of the right form that no store holds: its secret is another's.
fn guess(key: &str, random: u8) -> String {
    use hallpass_core::key::{ApiKey, KEY_RANDOM_BYTES, KeyKind};
    let made = ApiKey::generate(KeyKind::Svc, &[random; KEY_RANDOM_BYTES]);
    assert_ne!(made.expose(), key);
    made.expose().to_owned()
}

#[tokio::test]
async fn guessing_keys_is_slowed_and_the_good_key_goes_on() {
    let (_sim, site, serve, key) = start("", |text| text);
    assert_eq!(mint(&serve, &key).await.status, 201);
    let mut told = Vec::new();
    for random in 0..30 {
        let answer = mint(&serve, &guess(&key, random)).await;
        told.push(answer.status);
        if answer.status == 429 {
            assert_eq!(answer.code(), "rate_limited");
            assert!(!answer.header("retry-after").is_empty());
        }
    }
    let verified = told.iter().filter(|status| **status == 401).count();
    assert_eq!(verified, 10, "{told:?}");
    assert_eq!(
        mint(&serve, &key).await.status,
        201,
        "known here, so not shut out"
    );
    let lines = site.trail().lines();
    let recorded = lines
        .iter()
        .filter(|line| line.contains("rate_limited"))
        .count();
    assert_eq!(
        recorded, 1,
        "the first of twenty has a record, the others are counted"
    );
}

#[tokio::test]
async fn an_address_is_limited_before_authentication() {
    let (_sim, site, mut serve, key) = start("", |text| {
        text.replace(
            "per_address_per_minute = 1000000",
            "per_address_per_minute = 5",
        )
    });
    let mut told = Vec::new();
    for _ in 0..12 {
        told.push(mint(&serve, &key).await.status);
    }
    assert_eq!(told[..5], [201; 5]);
    assert_eq!(told[5..], [429; 7]);
    let alive = serve.client.get(serve.url("/livez")).send().await.unwrap();
    assert_eq!(alive.status(), 200, "probes are let through");
    assert!(serve.process.end(rustix::process::Signal::TERM).success());
    let records = site.trail().all();
    let summary = records
        .iter()
        .find(|record| record.action() == "security.anomaly")
        .expect("a summary of what was refused");
    assert!(
        summary.0.to_string().contains("\"requests_refused\":\"6\""),
        "{:?}",
        summary.0
    );
}

#[tokio::test]
async fn a_caller_holds_as_many_grants_at_once_as_its_role_allows() {
    let (_sim, site, serve, _) = start("", |text| {
        text.replace(
            "[roles.person]\n",
            "[roles.person]\nlimits = { concurrent_grants = 2 }\n",
        )
    });
    let token = site.token("alice", 600);
    let all = futures_util::future::join_all((0..10).map(|_| mint(&serve, &token))).await;
    let issued: Vec<&Answer> = all.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(issued.len(), 2, "race-free");
    let refused = mint(&serve, &token).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "too_many_grants")
    );
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(mint(&serve, &site.token("bob", 600)).await.status, 201);
}

/// A session cookie's section, and more failures than a minute allows.
const LOGIN: &str = "bad_credentials_per_minute = 10\n\n[[auth.session_cookie]]\nname = \"web\"\n\
                     format = \"next-auth-v4\"\nsecrets_file = \"jwt-secret\"\n";

fn session(site: &Site, subject: &str) -> String {
    let claims = json!({ "sub": subject, "exp": now() + 600, "iat": now() });
    let secret = SecretString::from(site.jwt_secret.clone());
    let mut iv = [0; 12];
    aws_lc_rs::rand::fill(&mut iv).unwrap();
    let sealed = hallpass_auth::session::seal_next_auth_v4(&secret, &claims, iv).unwrap();
    format!("next-auth.session-token={sealed}")
}

async fn mine(serve: &Serve, name: &str, value: &str) -> Answer {
    let request = serve.client.get(serve.url("/api/client-secrets"));
    send(request.header(name, value)).await
}

#[tokio::test]
async fn wrong_tokens_are_slowed_and_who_was_let_in_goes_on() {
    let (_sim, site, serve, key) = start(LOGIN, |text| text);
    let alice = format!("Bearer {}", site.token("alice", 600));
    let carol = session(&site, "carol");
    assert_eq!(mine(&serve, "authorization", &alice).await.status, 200);
    assert_eq!(mine(&serve, "cookie", &carol).await.status, 200);
    let expired = format!("Bearer {}", site.token("alice", -600));
    for _ in 0..20 {
        let answer = mine(&serve, "authorization", &expired).await;
        assert_eq!(answer.status, 401, "who was let in once is not guessing");
    }

    let mut told = Vec::new();
    for guess in 0..30 {
        let (token, cookie) = (
            format!("{alice}{guess}"),
            format!("next-auth.session-token=eyJhbGciOiJkaXIifQ..{guess}.{guess}.{guess}"),
        );
        let (name, value) = if guess % 2 == 0 {
            ("authorization", token)
        } else {
            ("cookie", cookie)
        };
        let answer = mine(&serve, name, &value).await;
        told.push(answer.status);
        if answer.status == 429 {
            assert_eq!(answer.code(), "rate_limited");
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
        }
    }
    let verified = told.iter().filter(|status| **status == 401).count();
    assert_eq!(verified, 10, "{told:?}");

    assert_eq!(mine(&serve, "authorization", &alice).await.status, 200);
    assert_eq!(mine(&serve, "cookie", &carol).await.status, 200);
    let key = format!("Bearer {key}");
    assert_eq!(
        mine(&serve, "authorization", &key).await.status,
        200,
        "keys have a budget of their own"
    );
    let bob = format!("Bearer {}", site.token("bob", 600));
    assert_eq!(
        mine(&serve, "authorization", &bob).await.status,
        429,
        "one that was never seen from here waits with the guesser"
    );
    let lines = site.trail().lines();
    let recorded = lines.iter().filter(|line| line.contains("rate_limited"));
    assert_eq!(
        recorded.count(),
        1,
        "the first has a record, the others are counted"
    );
}

#[tokio::test]
async fn this_machine_is_not_slowed_unless_the_operator_says_so() {
    let (_sim, _site, serve, _) = start("", |text| text);
    for guess in 0..80 {
        let answer = mine(&serve, "authorization", &format!("Bearer a.b.{guess}")).await;
        assert_eq!(
            answer.status, 401,
            "a proxy on this machine speaks for many"
        );
    }
}
