//! `docs/login.md`: each configuration and each command of it, as it stands.

use std::{collections::BTreeMap, path::Path, process::Command};

use aws_lc_rs::{
    cipher::{AES_256, PaddedBlockEncryptingKey, UnboundCipherKey},
    hkdf, hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use axum::{Router, routing::get};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hallpass_auth::{jwt::sign_hs256, session::seal_next_auth_v4};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Run, Serve, Sim, Site, binary, now, random_hex, send};

const PAGE: &str = include_str!("../../../../docs/login.md");

/// One section of the page, in a folder of its own.
struct Section {
    title: &'static str,
    text: &'static str,
    dir: TempDir,
    variables: BTreeMap<&'static str, String>,
}

impl Section {
    /// Takes the section whose title begins so, and writes its configuration.
    fn open(title: &'static str, change: impl FnOnce(String) -> String) -> Self {
        let (_, rest) = PAGE.split_once(&format!("\n## {title}")).expect(title);
        let text = rest.split("\n## ").next().unwrap();
        let toml = blocks(text, "toml").concat();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("hallpass.toml"), change(toml)).unwrap();
        Self {
            title,
            text,
            dir,
            variables: BTreeMap::new(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    fn command(&self, line: &str) -> Command {
        let hallpass = binary();
        let folder = Path::new(hallpass.get_program()).parent().unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-ec", line])
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .envs(&self.variables);
        command
    }

    /// Runs the commands of one of the section's blocks and gives what they print.
    fn run_block(&self, number: usize) -> String {
        let block = blocks(self.text, "console")[number];
        let run = |line: &str| {
            let line = line.strip_prefix("$ ").expect("a command");
            let run = Run::of(self.command(line), "");
            assert_eq!(
                run.code, 0,
                "{}: $ {line}\n{}{}",
                self.title, run.out, run.err
            );
            run.out
        };
        block.lines().map(run).collect()
    }

    /// The callers that `auth check` names, by their lines' ids.
    fn callers(&self) -> BTreeMap<String, Value> {
        let printed = self.run_block(0);
        let verdicts = printed.lines().filter(|line| line.starts_with('{'));
        let verdicts = verdicts.map(|line| serde_json::from_str::<Value>(line).unwrap());
        verdicts
            .map(|verdict| {
                assert_eq!(verdict["verdict"], "accept", "{}: {verdict}", self.title);
                let id = verdict["id"].as_str().unwrap().to_owned();
                (id, verdict["caller"].clone())
            })
            .collect()
    }

    /// The API key in a file that a command of the section wrote.
    fn made(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.dir.path().join(name)).unwrap();
        let made: Value = serde_json::from_str(&text).unwrap();
        made["key"].as_str().unwrap().to_owned()
    }

    /// A server by the section's file, and what a mint with a header gets.
    async fn mint(&self, (name, value): (&str, String)) -> Answer {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        // Only where it listens and whom it asks differ from the file.
        let mut site = Site::new(&sim.url, &key, "");
        let text = std::fs::read_to_string(self.dir.path().join("hallpass.toml")).unwrap();
        let text = format!(
            "{text}\n[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             data_dir = \".hallpass\"\ndrain_delay_seconds = 0\n\n[[upstream]]\nbase_url = \"{}/v1\"\n",
            sim.url
        );
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let entry = entry.unwrap();
            let to = site.path(entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                copy_folder(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
        std::fs::write(site.path("hallpass.toml"), text).unwrap();
        site.standard_key = key;
        let serve = Serve::start(&site);
        let url = serve.url("/api/generate-client-secret");
        let request = serve.client.post(url).json(&json!({}));
        let request = request
            .header(name, value)
            .header("sec-fetch-site", "same-origin");
        send(request).await
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// The fenced blocks of a language, less their fences.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    let blocks = text.split(fence.as_str()).skip(1);
    blocks
        .map(|rest| rest.split_once("```").expect("a block ends").0)
        .collect()
}

fn session_claims(roles: &Value) -> Value {
    json!({
        "name": "A User", "email": "user@example.test", "sub": "user-42", "roles": roles,
        "iat": now(), "exp": now() + 600, "jti": random_hex(16),
    })
}

#[tokio::test]
async fn auth_js_v4() {
    let secret = random_hex(32);
    let mut iv = [0; 12];
    aws_lc_rs::rand::fill(&mut iv).unwrap();
    let claims = session_claims(&json!([]));
    let session = seal_next_auth_v4(&SecretString::from(secret.clone()), &claims, iv).unwrap();
    let section = Section::open("Auth.js v4", |text| text)
        .with("NEXTAUTH_SECRET", secret)
        .with("SESSION", &session);
    let caller = &section.callers()["v4"];
    assert_eq!(caller["subject"], "user-42");
    assert_eq!(caller["credential"], "web");
    let cookie = format!("next-auth.session-token={session}");
    let minted = section.mint(("cookie", cookie)).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
}

/// Seals a session as Auth.js v5 does, without naming the key.
fn seal_authjs_v5(secret: &str, claims: &Value) -> String {
    struct Bytes64;
    impl hkdf::KeyType for Bytes64 {
        fn len(&self) -> usize {
            64
        }
    }
    let name = "authjs.session-token";
    let info = format!("Auth.js Generated Encryption Key ({name})");
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, name.as_bytes()).extract(secret.as_bytes());
    let mut key = [0; 64];
    let info = [info.as_bytes()];
    prk.expand(&info, Bytes64).unwrap().fill(&mut key).unwrap();
    let cipher = UnboundCipherKey::new(&AES_256, &key[32..]).unwrap();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).unwrap();
    let mut content = claims.to_string().into_bytes();
    let context = cipher.encrypt(&mut content).unwrap();
    let iv: &[u8] = (&context).try_into().unwrap();
    let protected = URL_SAFE_NO_PAD.encode(br#"{"alg":"dir","enc":"A256CBC-HS512"}"#);
    let length = (protected.len() as u64 * 8).to_be_bytes();
    let signed = [protected.as_bytes(), iv, &content, &length].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &key[..32]), &signed);
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{protected}..{}.{}.{}",
        text(iv),
        text(&content),
        text(&tag.as_ref()[..32])
    )
}

#[tokio::test]
async fn auth_js_v5() {
    let secret = random_hex(32);
    let session = seal_authjs_v5(&secret, &session_claims(&json!(["candidate"])));
    let section = Section::open("Auth.js v5", |text| text)
        .with("AUTH_SECRET", secret)
        .with("OLD_AUTH_SECRET", random_hex(32))
        .with("SESSION", &session);
    let caller = &section.callers()["v5"];
    assert_eq!(caller["subject"], "user-42");
    assert_eq!(caller["roles"], json!(["candidate"]));
    let cookie = format!("authjs.session-token={session}");
    let minted = section.mint(("cookie", cookie)).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
}

/// A token of an Ed25519 or P-256 key is made alike; this is Ed25519's.
fn signed(pair: &Ed25519KeyPair, kid: Option<&str>, claims: &Value) -> String {
    let mut header = json!({ "alg": "EdDSA" });
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = format!("{}.{}", text(&header), text(claims));
    let signature = pair.sign(head.as_bytes());
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// A provider's description and keys, on this machine.
async fn provider(pair: &Ed25519KeyPair) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let issuer = format!("{url}/realms/app");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let keys = json!({ "keys": [
        { "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "one", "alg": "EdDSA", "use": "sig" },
    ] });
    let description = json!({ "issuer": issuer, "jwks_uri": format!("{url}/keys") });
    let router = Router::new()
        .route(
            "/realms/app/.well-known/openid-configuration",
            get(move || async move { description.to_string() }),
        )
        .route("/keys", get(move || async move { keys.to_string() }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_openid_provider() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let issuer = provider(&pair).await;
    let example = "issuer = \"https://login.example.com/realms/app\"";
    // The page's own file is good; what is asked over the network is the
    // provider here, whose keys are of the test's kind.
    let page = Section::open("An OpenID provider", |text| text);
    Run::of(
        page.command("hallpass config check --config hallpass.toml"),
        "",
    )
    .done();
    let here = format!("allow_private_addresses = true\nissuer = \"{issuer}\"");
    let token = signed(
        &pair,
        Some("one"),
        &json!({
            "iss": issuer, "aud": ["account", "hallpass"], "sub": "user-42", "exp": now() + 600,
            "realm_access": { "roles": ["candidate"] }, "org": "acme",
        }),
    );
    let section = Section::open("An OpenID provider", |text| {
        assert!(text.contains(example), "{text}");
        text.replace(example, &here)
            .replace("[\"RS256\", \"ES256\"]", "[\"EdDSA\"]")
    })
    .with("TOKEN", &token);
    let caller = &section.callers()["oidc"];
    assert_eq!(caller["subject"], "user-42");
    assert_eq!(caller["roles"], json!(["candidate"]));
    assert_eq!(caller["tenant"], "acme");
    let minted = section
        .mint(("authorization", format!("Bearer {token}")))
        .await;
    assert_eq!(minted.status, 201, "{}", minted.text);
}

/// A public key in PEM: what goes before an Ed25519 key's 32 bytes is fixed.
fn pem(pair: &Ed25519KeyPair) -> String {
    const PREFIX: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0,
    ];
    let der = [&PREFIX, pair.public_key().as_ref()].concat();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    )
}

#[tokio::test]
async fn your_own_tokens() {
    let (pair, secret) = (Ed25519KeyPair::generate().unwrap(), random_hex(32));
    let claims = |issuer: &str| {
        json!({
            "iss": issuer, "aud": "hallpass", "sub": "user-42", "iat": now(), "exp": now() + 600,
            "roles": ["candidate"], "interview": "interview-7",
        })
    };
    let token = signed(&pair, None, &claims("https://app.example.com"));
    let old = SecretString::from(secret.clone());
    let old = sign_hs256(&old, &claims("https://old-app.example.com")).unwrap();
    let section = Section::open("Your own tokens", |text| text)
        .with("PUBLIC_KEY", pem(&pair))
        .with("JWT_SECRET", secret)
        .with("TOKEN", &token)
        .with("OLD_TOKEN", old);
    let callers = section.callers();
    assert_eq!(callers["own"]["session_id"], "interview-7");
    assert_eq!(callers["own"]["roles"], json!(["candidate"]));
    assert_eq!(callers["old"]["credential"], "old-app");
    assert_eq!(callers["old"]["session_id"], Value::Null);
    let minted = section
        .mint(("authorization", format!("Bearer {token}")))
        .await;
    assert_eq!(minted.status, 201, "{}", minted.text);
}

#[tokio::test]
async fn api_keys() {
    let mut section = Section::open("API keys", |text| text);
    assert!(section.run_block(0).contains("backend"));
    let first = section.made("key.json");
    let minted = section
        .mint(("authorization", format!("Bearer {first}")))
        .await;
    assert_eq!(minted.status, 201, "{}", minted.text);

    let id = first["hp_svc_".len()..][..12].to_owned();
    section = section.with("KEY_ID", id);
    section.run_block(1);
    let second = section.made("new-key.json");
    let refused = section
        .mint(("authorization", format!("Bearer {first}")))
        .await;
    assert_eq!(refused.code(), "revoked_credential", "{}", refused.text);
    let minted = section
        .mint(("authorization", format!("Bearer {second}")))
        .await;
    assert_eq!(minted.status, 201, "{}", minted.text);
}
