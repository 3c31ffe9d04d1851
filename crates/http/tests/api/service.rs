//! Both routers over fakes, and answers as text.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use hallpass_core::{
    Timestamp,
    hash::{InstallKey, Purpose},
    ids::CredentialId,
    key_issuer::KeyIssuer,
    ports::{Authenticator, KeyDirectory, Quotas, StoreError, StoredKey},
};
use hallpass_http::{
    App, AppParts, AuditQuery, BreakerWish, Capacity, FoundRecord, Health, Origins, TrailSearch,
    UpstreamStatus,
    front_guard::{FrontGuard, FrontLimits},
    serve::TrustedProxies,
};
use hallpass_store_memory::{MemoryAlerts, MemoryQuotas};
use hallpass_telemetry::{Metrics, traces::Traces};
use http::{HeaderMap, Request, StatusCode, header, request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::fakes::{FakeAuthenticator, FakeQuotas, World};

/// A page that may call from a browser.
pub(crate) const LISTED: &str = "https://app.example.com";
/// Where the server itself is reached.
pub(crate) const OWN: &str = "https://voice.example.com";

pub(crate) const MINT: &str = "/api/generate-client-secret";
pub(crate) const INTERVIEW: &str = "/api/interview/realtime-token";
pub(crate) const DROP_IN: &str = "/v1/realtime/client_secrets";
/// The routes that hand out secrets.
pub(crate) const MINT_ROUTES: [&str; 3] = [MINT, INTERVIEW, DROP_IN];

/// The server less its sockets.
pub(crate) struct Service {
    pub(crate) world: World,
    pub(crate) app: App,
    pub(crate) alerts: Arc<MemoryAlerts>,
    public: Router,
    admin: Router,
}

impl Service {
    /// A server whose limits are never reached.
    pub(crate) fn new() -> Self {
        Self::of(World::with_quotas(Arc::new(FakeQuotas::Open)))
    }

    /// A server that counts, at a time that stands still.
    pub(crate) fn counting() -> Self {
        Self::of(World::with_quotas(Arc::new(MemoryQuotas::with_clock(|| 0))))
    }

    pub(crate) fn with_quotas(quotas: impl Quotas + 'static) -> Self {
        Self::of(World::assemble(
            Arc::new(quotas),
            Arc::new(FakeAuthenticator),
        ))
    }

    pub(crate) fn with_authenticator(authenticator: impl Authenticator + 'static) -> Self {
        Self::of(World::assemble(
            Arc::new(FakeQuotas::Open),
            Arc::new(authenticator),
        ))
    }

    /// A server whose parts can't tell how they are.
    pub(crate) fn with_defective_health() -> Self {
        let world = World::with_quotas(Arc::new(FakeQuotas::Open));
        Self::made(world, Arc::new(Defective))
    }

    fn of(world: World) -> Self {
        Self::made(world, Arc::new(NothingYet))
    }

    fn made(world: World, health: Arc<dyn Health>) -> Self {
        let alerts = Arc::new(MemoryAlerts::default());
        let app = App::new(AppParts {
            broker: world.broker.clone(),
            guard: Arc::new(FrontGuard::new(LIMITS)),
            keys: Arc::new(keys(&world)),
            metrics: Arc::new(Metrics::new("1.2.3")),
            traces: Traces::default(),
            health,
            alerts: alerts.clone(),
            counted: Arc::default(),
            trail: Arc::new(TenRecords),
            relay: None,
            calls: None,
            origins: Origins::new([LISTED], [OWN]).unwrap(),
            capacity: Capacity::default(),
            idempotency: Duration::from_secs(30),
            trusted_proxies: TrustedProxies::default(),
            https: false,
            version: "1.2.3",
        });
        Self {
            public: hallpass_http::public(app.clone()),
            admin: hallpass_http::admin(app.clone(), Router::new()),
            world,
            app,
            alerts,
        }
    }

    /// What the public listener answers.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        Answer::read(self.public.clone(), request).await
    }

    /// What the admin listener answers.
    pub(crate) async fn ask_admin(&self, request: Request<Body>) -> Answer {
        Answer::read(self.admin.clone(), request).await
    }

    /// The value of one metric.
    pub(crate) async fn metric(&self, line: &str) -> Option<f64> {
        let page = self.ask_admin(empty(get("/metrics"))).await.text();
        let mut lines = page.lines();
        lines.find_map(|row| row.strip_prefix(line)?.trim().parse().ok())
    }
}

/// Limits of addresses that no test but those of the guard reaches.
const LIMITS: FrontLimits = FrontLimits {
    per_address_per_minute: 1_000_000,
    spare_loopback: false,
    bad_keys_per_minute: 1_000_000,
    bad_credentials_per_minute: 1_000_000,
    spare_loopback_credentials: false,
};

fn keys(world: &World) -> KeyIssuer {
    let hasher = InstallKey::new([7; 32]).hasher(Purpose::ApiKey);
    let (clock, ids) = (world.broker.clock().clone(), world.broker.ids().clone());
    KeyIssuer::new(Arc::new(FakeKeys::default()), hasher, clock, ids)
}

/// API keys in memory.
#[derive(Default)]
struct FakeKeys(Mutex<BTreeMap<CredentialId, StoredKey>>);

impl FakeKeys {
    fn change(&self, id: &CredentialId, change: impl FnOnce(&mut StoredKey)) -> bool {
        self.0.lock().unwrap().get_mut(id).map(change).is_some()
    }
}

#[async_trait]
impl KeyDirectory for FakeKeys {
    async fn find(&self, id: &CredentialId) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }

    async fn insert(&self, key: &StoredKey) -> Result<(), StoreError> {
        self.0.lock().unwrap().insert(key.id.clone(), key.clone());
        Ok(())
    }

    async fn list(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.0.lock().unwrap().values().cloned().collect())
    }

    async fn revoke(&self, id: &CredentialId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.change(id, |key| key.revoked_at = key.revoked_at.or(Some(at))))
    }

    async fn supersede(
        &self,
        id: &CredentialId,
        successor: &CredentialId,
        ends: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.change(id, |key| {
            key.replaced_by = Some(successor.clone());
            key.expires_at = Some(ends);
        }))
    }

    async fn touch(&self, id: &CredentialId, at: Timestamp) -> Result<(), StoreError> {
        self.change(id, |key| key.last_used_at = Some(at));
        Ok(())
    }
}

/// An upstream nobody has called.
struct NothingYet;

impl Health for NothingYet {
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        vec![UpstreamStatus::unasked("fake", Timestamp::UNIX_EPOCH)]
    }

    fn force_breaker(&self, upstream: &str, _: BreakerWish) -> bool {
        upstream == "fake"
    }

    fn waiting_grants(&self) -> usize {
        0
    }
}

/// Parts with a defect.
struct Defective;

impl Health for Defective {
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        panic!("as planned")
    }

    fn force_breaker(&self, _: &str, _: BreakerWish) -> bool {
        false
    }

    fn waiting_grants(&self) -> usize {
        0
    }
}

/// A trail of ten records that every query finds.
struct TenRecords;

#[async_trait]
impl TrailSearch for TenRecords {
    async fn find(&self, wanted: AuditQuery) -> Result<Vec<FoundRecord>, StoreError> {
        if wanted.subject.as_deref() == Some("broken") {
            return Err(StoreError("the disk is gone".to_owned()));
        }
        let from = wanted.cursor.unwrap_or(0);
        let record = |sequence: u64| FoundRecord {
            sequence,
            record: serde_json::value::to_raw_value(&sequence).unwrap(),
        };
        Ok((from..10).take(wanted.limit.unwrap()).map(record).collect())
    }
}

/// One answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    async fn read(router: Router, request: Request<Body>) -> Self {
        let (head, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status,
            headers: head.headers,
            body: body.to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let code = body.get("code").unwrap_or(&body["error"]["code"]);
        code.as_str().unwrap_or_default().to_owned()
    }

    /// Headers in the order of their names.
    pub(crate) fn head(&self) -> String {
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            let line = lines.entry(name.to_string()).or_default();
            let separator = if line.is_empty() { "" } else { " | " };
            let _ = write!(
                line,
                "{separator}{}",
                String::from_utf8_lossy(value.as_bytes())
            );
        }
        lines.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name}: {value}");
            text
        })
    }

    /// Status, headers and body, as a reader of a snapshot wants them.
    pub(crate) fn show(&self) -> String {
        let body = match serde_json::from_slice::<Value>(&self.body) {
            Ok(body) => serde_json::to_string_pretty(&body).unwrap(),
            Err(_) => self.text(),
        };
        format!("{}\n{}\n{body}", self.status, self.head())
    }
}

pub(crate) fn post(path: &str) -> request::Builder {
    Request::post(path)
}

pub(crate) fn get(path: &str) -> request::Builder {
    Request::get(path)
}

pub(crate) fn empty(request: request::Builder) -> Request<Body> {
    request.body(Body::empty()).unwrap()
}

pub(crate) fn json(request: request::Builder, body: impl Into<Body>) -> Request<Body> {
    let request = request.header(header::CONTENT_TYPE, "application/json");
    request.body(body.into()).unwrap()
}

/// Adds a credential the fake authenticator takes.
pub(crate) trait As {
    fn by(self, who: &str) -> Self;
}

impl As for request::Builder {
    fn by(self, who: &str) -> Self {
        self.header(header::AUTHORIZATION, format!("Bearer {who}"))
    }
}

/// Compares with the snapshot of this name; secrets are left out of it.
pub(crate) fn assert_shown(name: &str, text: impl AsRef<str>) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("ek_[0-9a-f]{32}", "[client secret]");
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, text.as_ref()));
}
