//! Object stores as their clients know them: S3, Google Cloud Storage, Azure.
//!
//! Small servers that speak what an archive asks of each: put, get, list page
//! by page, and delete. They check who asks the way the vendor does: S3 by the
//! signature (version 4) over the whole request, Google by the token signed
//! with the service account's key, Azure by the shared key's signature. They
//! can also fail, hang, and keep something else than they were given.

mod azure;
mod google;
mod s3;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

pub use google::ServiceAccount;

/// The name of the one bucket, or container.
pub const BUCKET: &str = "trail";
/// Objects on a page of a list: few, so that there are several pages.
const PAGE: usize = 2;
const LAST_MODIFIED: &str = "Sun, 22 Nov 2026 21:00:00 GMT";
const MAX_BODY: usize = 64 << 20;

/// Whose store it is.
#[derive(Debug, Clone)]
pub enum Vendor {
    /// Amazon's, or a compatible one.
    S3 {
        /// The id of the access key.
        key_id: String,
        /// The secret access key.
        secret: String,
    },
    /// Google Cloud Storage.
    Google(Arc<ServiceAccount>),
    /// Azure Blob Storage.
    Azure {
        /// The account's name.
        account: String,
        /// The account's key, in base64.
        key: String,
    },
}

/// What a store does with requests from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// What it should.
    Well,
    /// Answers each with 500.
    Fails,
    /// Answers none.
    Hangs,
    /// Keeps something else than it was given, and says that all is well.
    Corrupts,
    /// Keeps the first half only, and says that all is well.
    Truncates,
}

#[derive(Debug)]
struct Kept {
    vendor: Vendor,
    mood: Mood,
    objects: BTreeMap<String, Vec<u8>>,
    /// Requests refused because their sender did not prove who they are.
    strangers: usize,
}

/// A running store. Dropped, it lets go of its port.
#[derive(Debug)]
pub struct ObjectStore {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

impl ObjectStore {
    /// Starts an empty one.
    pub async fn start(vendor: Vendor) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let kept = Arc::new(Mutex::new(Kept {
            vendor,
            mood: Mood::Well,
            objects: BTreeMap::new(),
            strangers: 0,
        }));
        let router = Router::new().fallback(answer).with_state(kept.clone());
        let serving = tokio::spawn(async move {
            axum::serve(socket, router).await.unwrap();
        });
        Self {
            address,
            kept,
            serving,
        }
    }

    /// The address an archive is configured with.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.kept().vendor {
            Vendor::S3 { .. } => "s3",
            Vendor::Google(_) => "gs",
            Vendor::Azure { .. } => "az",
        };
        format!("{scheme}://{BUCKET}/hallpass/audit")
    }

    /// What the environment says about it, by the vendor's own names.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = format!("http://{}", self.address);
        let kept = self.kept();
        let named = match &kept.vendor {
            Vendor::S3 { key_id, secret } => vec![
                ("AWS_ACCESS_KEY_ID", key_id.clone()),
                ("AWS_SECRET_ACCESS_KEY", secret.clone()),
                ("AWS_REGION", "eu-central-1".to_owned()),
                ("AWS_ENDPOINT_URL", url),
                ("AWS_ALLOW_HTTP", "true".to_owned()),
            ],
            Vendor::Google(account) => vec![
                ("GOOGLE_SERVICE_ACCOUNT_KEY", account.to_json()),
                ("GOOGLE_BASE_URL", url),
                ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
            ],
            Vendor::Azure { account, key } => vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", account.clone()),
                ("AZURE_STORAGE_ACCOUNT_KEY", key.clone()),
                ("AZURE_STORAGE_ENDPOINT", url),
                ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ],
        };
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        named.into_iter().map(owned).collect()
    }

    /// Does this from now on.
    pub fn set(&self, mood: Mood) {
        self.kept().mood = mood;
    }

    /// The names of what it keeps, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.kept().objects.keys().cloned().collect()
    }

    /// Puts something else in an object's place.
    pub fn replace(&self, name: &str, bytes: Vec<u8>) {
        self.kept().objects.insert(name.to_owned(), bytes);
    }

    /// Loses an object.
    pub fn lose(&self, name: &str) {
        self.kept().objects.remove(name);
    }

    /// How many requests were refused for want of a good credential.
    #[must_use]
    pub fn strangers(&self) -> usize {
        self.kept().strangers
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A whole request.
struct Asked {
    method: String,
    /// Without the slash it begins with.
    path: String,
    query: Vec<(String, String)>,
    headers: axum::http::HeaderMap,
    body: Vec<u8>,
}

impl Asked {
    async fn read(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or("").split('&');
        let pairs = query.filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self {
            method: parts.method.to_string(),
            path: decoded(parts.uri.path().trim_start_matches('/')),
            query: pairs.collect(),
            headers: parts.headers,
            body: to_bytes(body, MAX_BODY).await.unwrap().to_vec(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap_or(""))
    }

    fn asked(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The object's name; none where the bucket itself is meant.
    fn object(&self) -> Option<&str> {
        let name = self.path.strip_prefix(BUCKET)?.strip_prefix('/')?;
        (!name.is_empty()).then_some(name)
    }
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let digits = std::str::from_utf8(after.get(..2).unwrap_or_default());
        let escaped = digits.ok().and_then(|it| u8::from_str_radix(it, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn answer(State(kept): State<Arc<Mutex<Kept>>>, request: Request) -> Response {
    let asked = Asked::read(request).await;
    let mood = kept.lock().unwrap().mood;
    match mood {
        Mood::Hangs => std::future::pending().await,
        Mood::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => kept.lock().unwrap().answer(&asked),
    }
}

impl Kept {
    fn answer(&mut self, asked: &Asked) -> Response {
        let known = match &self.vendor {
            Vendor::S3 { key_id, secret } => s3::is_signed(asked, key_id, secret),
            Vendor::Google(account) => account.has_signed(asked),
            Vendor::Azure { account, key } => azure::is_signed(asked, account, key),
        };
        if !known {
            self.strangers += 1;
            return StatusCode::FORBIDDEN.into_response();
        }
        let Some(name) = asked.object() else {
            return self.answer_bucket(asked);
        };
        match asked.method.as_str() {
            "PUT" => self.put(name, &asked.body),
            "GET" | "HEAD" => self.get(name),
            "DELETE" => self.delete(name).into_response(),
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    fn answer_bucket(&mut self, asked: &Asked) -> Response {
        let is_azure = matches!(self.vendor, Vendor::Azure { .. });
        if asked.method == "POST" && is_azure {
            return azure::batch(asked, |name| self.delete(name));
        }
        if asked.method != "GET" {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let xml = if is_azure {
            azure::list(asked, &self.objects)
        } else {
            s3::list(asked, &self.objects)
        };
        ([(header::CONTENT_TYPE, "application/xml")], xml).into_response()
    }

    fn put(&mut self, name: &str, body: &[u8]) -> Response {
        let mut bytes = body.to_vec();
        match self.mood {
            Mood::Corrupts => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            Mood::Truncates => bytes.truncate(body.len() / 2),
            _ => {}
        }
        self.objects.insert(name.to_owned(), bytes);
        let headers = [
            (header::ETAG, "\"1\""),
            (header::LAST_MODIFIED, LAST_MODIFIED),
        ];
        let created = match self.vendor {
            Vendor::Azure { .. } => StatusCode::CREATED,
            _ => StatusCode::OK,
        };
        (created, headers).into_response()
    }

    fn get(&self, name: &str) -> Response {
        let Some(bytes) = self.objects.get(name) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let headers = [
            (header::ETAG, "\"1\""),
            (header::LAST_MODIFIED, LAST_MODIFIED),
        ];
        (headers, Body::from(bytes.clone())).into_response()
    }

    fn delete(&mut self, name: &str) -> StatusCode {
        let gone = self.objects.remove(name);
        match (&self.vendor, gone) {
            // S3 says the same whether it was there or not.
            (Vendor::S3 { .. }, _) | (Vendor::Google(_), Some(_)) => StatusCode::NO_CONTENT,
            (Vendor::Azure { .. }, Some(_)) => StatusCode::ACCEPTED,
            (_, None) => StatusCode::NOT_FOUND,
        }
    }
}

/// One page of what is under a prefix: names and sizes, and where the next begins.
fn page<'a>(
    objects: &'a BTreeMap<String, Vec<u8>>,
    prefix: &str,
    from: Option<&str>,
) -> (Vec<(&'a str, usize)>, Option<&'a str>) {
    let within = objects.iter().filter(|(name, _)| {
        let rest = name.strip_prefix(prefix);
        // As with the delimiter "/": nothing further down.
        rest.is_some_and(|rest| !rest.contains('/'))
    });
    let mut wanted = within.skip_while(|(name, _)| from.is_some_and(|from| name.as_str() < from));
    let size = |(name, bytes): (&'a String, &'a Vec<u8>)| (name.as_str(), bytes.len());
    let page: Vec<_> = wanted.by_ref().take(PAGE).map(size).collect();
    (page, wanted.next().map(|(name, _)| name.as_str()))
}
