//! An issuer's keys behind an address, under load: a flood of unknown key names
//! causes at most one fetch in a cooldown, and a rotation refuses nobody.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::{Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Serve, Site, now, random_hex};

const ISSUER: &str = "https://app.example.test";
/// The shortest time between two fetches that unknown names cause.
const COOLDOWN: Duration = Duration::from_secs(30);

/// A key of the issuer, and its name.
struct Signer {
    kid: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        Self {
            kid: kid.to_owned(),
            pair,
        }
    }

    fn token(&self, subject: &str) -> String {
        self.token_named(&self.kid, subject)
    }

    fn token_named(&self, kid: &str, subject: &str) -> String {
        let text = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = text(json!({ "alg": "EdDSA", "kid": kid }));
        let claims = text(json!({
            "iss": ISSUER, "aud": "hallpass", "sub": subject, "exp": now() + 600,
        }));
        let signed = format!("{header}.{claims}");
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": "EdDSA" })
    }
}

/// The issuer's key server.
struct KeyServer {
    document: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
    url: String,
}

impl KeyServer {
    async fn start(signers: &[&Signer]) -> Self {
        let document = Arc::new(Mutex::new(String::new()));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (served, counted) = (Arc::clone(&document), Arc::clone(&fetches));
        let keys = get(move || async move {
            counted.fetch_add(1, Ordering::SeqCst);
            served.lock().unwrap().clone()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let router = Router::new().route("/jwks.json", keys);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let server = Self {
            document,
            fetches,
            url,
        };
        server.publish(signers);
        server
    }

    fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.public()).collect();
        *self.document.lock().unwrap() = json!({ "keys": keys }).to_string();
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// A server whose login asks this one for its keys.
    fn serve(&self) -> (Site, Serve) {
        let site = Site::new("http://127.0.0.1:9", "unused", "");
        let path = site.path("hallpass.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let remote = format!(
            "algorithms = [\"EdDSA\"]\njwks_url = \"{}\"\nallow_private_addresses = true",
            self.url
        );
        let text = text.replace(
            "algorithms = [\"HS256\"]\nsecret_file = \"jwt-secret\"",
            &remote,
        );
        std::fs::write(path, text).unwrap();
        let serve = Serve::start(&site);
        (site, serve)
    }
}

/// Sends requests one after another on one connection and gives their statuses.
async fn ask_all(address: &str, tokens: Vec<String>) -> Vec<u16> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut statuses = Vec::with_capacity(tokens.len());
    let mut answer = Vec::new();
    for token in tokens {
        let request = format!(
            "GET /api/client-secrets HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        statuses.push(read_answer(&mut socket, &mut answer).await);
    }
    statuses
}

/// Reads one whole answer, by its length, and gives its status.
async fn read_answer(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    loop {
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            let length: usize = length.expect("a length");
            if body.len() >= length {
                let status = head[9..12].parse().unwrap();
                let whole = head.len() + 4 + length;
                buffer.drain(..whole);
                return status;
            }
        }
        assert_ne!(socket.read_buf(buffer).await.unwrap(), 0, "cut off");
    }
}

// Starting a server blocks a thread while another has to hand out the keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_unknown_key_names_cause_one_fetch_in_a_cooldown() {
    const CONNECTIONS: usize = 20;
    const EACH: usize = 500;
    let signer = Signer::new("one");
    let keys = KeyServer::start(&[&signer]).await;
    let (_site, serve) = keys.serve();
    assert_eq!(keys.fetches(), 1, "at the start");
    let began = Instant::now();

    let floods = (0..CONNECTIONS).map(|_| {
        // Signing each would take the test's time: the name is refused first.
        let token = signer.token("user-1");
        let (_, rest) = token.split_once('.').unwrap();
        let named = |_| {
            let header = json!({ "alg": "EdDSA", "kid": random_hex(8) }).to_string();
            format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
        };
        ask_all(&serve.public, (0..EACH).map(named).collect())
    });
    let all = futures_util::future::join_all(floods).await.concat();

    assert_eq!(all.len(), CONNECTIONS * EACH);
    assert!(all.iter().all(|status| *status == 401));
    let cooldowns = began.elapsed().as_secs() / COOLDOWN.as_secs();
    let most = 2 + usize::try_from(cooldowns).unwrap();
    assert!(keys.fetches() <= most, "{} of {most}", keys.fetches());
    let known = ask_all(&serve.public, vec![signer.token("user-1")]).await;
    assert_eq!(known, [200], "who has a good token is served as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_under_load_refuses_nobody() {
    const CONNECTIONS: usize = 8;
    let (old, new) = (Arc::new(Signer::new("old")), Arc::new(Signer::new("new")));
    let keys = KeyServer::start(&[&old]).await;
    let (_site, serve) = keys.serve();
    let (rotated, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let (served, mut seen) = tokio::sync::watch::channel(0_usize);

    // Each caller has a token of its own for each request, so that none is
    // remembered; before and after the rotation they are of the key in use.
    let caller = |number: usize| {
        let (old, new, rotated, over) = (&old, &new, &rotated, &over);
        let (address, served) = (&serve.public, &served);
        async move {
            let mut refused = Vec::new();
            let mut round = 0;
            while !over.load(Ordering::SeqCst) {
                round += 1;
                let signer = if rotated.load(Ordering::SeqCst) {
                    new
                } else {
                    old
                };
                let token = signer.token(&format!("user-{number}-{round}"));
                let statuses = ask_all(address, vec![token]).await;
                refused.extend(statuses.into_iter().filter(|status| *status != 200));
                served.send_modify(|count| *count += 1);
            }
            refused
        }
    };
    let rotation = async {
        seen.wait_for(|served| *served >= 100).await.unwrap();
        // As providers do: the new key beside the old one, then in use, then alone.
        keys.publish(&[&old, &new]);
        rotated.store(true, Ordering::SeqCst);
        seen.wait_for(|served| *served >= 300).await.unwrap();
        keys.publish(&[&new]);
        seen.wait_for(|served| *served >= 400).await.unwrap();
        over.store(true, Ordering::SeqCst);
    };
    let callers = futures_util::future::join_all((0..CONNECTIONS).map(caller));
    let (refused, ()) = futures_util::future::join(callers, rotation).await;

    assert_eq!(refused.concat(), [0_u16; 0]);
    assert_eq!(keys.fetches(), 2, "one at the start, one for the new name");
}
