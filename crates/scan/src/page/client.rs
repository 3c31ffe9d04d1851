//! Requests to one origin, counted and bounded.

use std::{
    io::Read,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION},
    redirect::Policy,
};
use url::{Host, Origin, Url};

use super::{
    PageOptions,
    address::{PublicOnly, is_public},
};

/// Largest resource, in bytes, as sent and unpacked.
const LARGEST: usize = 64 * 1024 * 1024;
/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// Redirects followed within the origin.
const REDIRECTS: usize = 3;

/// Why a resource can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// Its address is not one that may be asked.
    #[error("only https addresses are asked; --allow-private allows http too")]
    Scheme,
    /// Its address is private.
    #[error("its address is not on the open internet; --allow-private allows it")]
    Private,
    /// It leads to another origin.
    #[error("it leads to {0}, which is another origin: scan that address")]
    Elsewhere(String),
    /// It leads on and on.
    #[error("it redirects more than {REDIRECTS} times")]
    Redirects,
    /// It answered with something other than success.
    #[error("it answered {0}")]
    Status(u16),
    /// It is too large, or all of it together is.
    #[error("it is too large")]
    TooLarge,
    /// Its body can't be unpacked.
    #[error("its body can't be unpacked: {0}")]
    Packed(std::io::Error),
    /// The request failed.
    #[error("it can't be had: {0}")]
    Request(String),
}

/// A resource as it was received.
pub(super) struct Fetched {
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
    /// The address in its `SourceMap` header.
    pub(super) source_map: Option<String>,
    content_type: String,
}

impl Fetched {
    pub(super) fn is_page(&self) -> bool {
        self.content_type.contains("html")
    }

    pub(super) fn is_program(&self) -> bool {
        self.content_type.contains("javascript") || self.url.path().ends_with("js")
    }
}

/// Asks one origin.
pub(super) struct Client {
    http: reqwest::Client,
    origin: Origin,
    allow_private: bool,
    left: Arc<AtomicU64>,
}

impl Client {
    pub(super) fn new(url: &Url, options: PageOptions) -> Result<Self, PageError> {
        let allow_private = options.allow_private;
        if url.scheme() != "https" && !(allow_private && url.scheme() == "http") {
            return Err(PageError::Scheme);
        }
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(DEADLINE)
            .user_agent(concat!("hallpass-scan/", env!("CARGO_PKG_VERSION")));
        if !allow_private {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        Ok(Self {
            http: builder
                .build()
                .map_err(|error| PageError::Request(cause(error)))?,
            origin: url.origin(),
            allow_private,
            left: Arc::new(AtomicU64::new(options.most_bytes)),
        })
    }

    pub(super) fn origin(&self) -> String {
        self.origin.ascii_serialization()
    }

    /// Whether an address is of the origin that is asked.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.origin
    }

    /// Fetches a resource, following redirects within the origin.
    pub(super) async fn get(&self, url: &Url) -> Result<Fetched, PageError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            self.check(&url)?;
            let asked = self.http.get(url.clone()).send().await;
            let response = asked.map_err(|error| PageError::Request(cause(error)))?;
            if !response.status().is_redirection() {
                return self.receive(url, response).await;
            }
            let next = header(response.headers(), &LOCATION).and_then(|to| url.join(&to).ok());
            url = next.ok_or(PageError::Status(response.status().as_u16()))?;
        }
        Err(PageError::Redirects)
    }

    /// Names are judged when they are resolved; an address in the URL never is.
    fn check(&self, url: &Url) -> Result<(), PageError> {
        if !self.is_own(url) {
            return Err(PageError::Elsewhere(url.origin().ascii_serialization()));
        }
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            _ => return Ok(()),
        };
        if self.allow_private || is_public(address) {
            return Ok(());
        }
        Err(PageError::Private)
    }

    async fn receive(
        &self,
        url: Url,
        mut response: reqwest::Response,
    ) -> Result<Fetched, PageError> {
        if !response.status().is_success() {
            return Err(PageError::Status(response.status().as_u16()));
        }
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| PageError::Request(cause(error)))?
        {
            self.take(chunk.len())?;
            if body.len() + chunk.len() > LARGEST {
                return Err(PageError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let source_map = ["sourcemap", "x-sourcemap"]
            .iter()
            .find_map(|name| header(&headers, &HeaderName::from_static(name)));
        Ok(Fetched {
            body: unpacked(body, header(&headers, &CONTENT_ENCODING).as_deref())?,
            content_type: header(&headers, &CONTENT_TYPE).unwrap_or_default(),
            source_map,
            url,
        })
    }

    fn take(&self, bytes: usize) -> Result<(), PageError> {
        let bytes = bytes as u64;
        let less = |left: u64| left.checked_sub(bytes);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(drop).map_err(|_| PageError::TooLarge)
    }
}

/// A body that was sent compressed though nobody asked for it.
fn unpacked(body: Vec<u8>, encoding: Option<&str>) -> Result<Vec<u8>, PageError> {
    let source = body.as_slice();
    let mut reader: Box<dyn Read + '_> = match encoding {
        Some("gzip") => Box::new(flate2::read::MultiGzDecoder::new(source)),
        Some("deflate") => Box::new(flate2::read::ZlibDecoder::new(source)),
        Some("br") => Box::new(brotli_decompressor::Decompressor::new(source, 64 * 1024)),
        Some("zstd") => Box::new(zstd::Decoder::new(source).map_err(PageError::Packed)?),
        _ => return Ok(body),
    };
    let mut plain = Vec::new();
    let most = LARGEST as u64 + 1;
    reader
        .by_ref()
        .take(most)
        .read_to_end(&mut plain)
        .map_err(PageError::Packed)?;
    if plain.len() > LARGEST {
        return Err(PageError::TooLarge);
    }
    Ok(plain)
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The innermost cause: "connection refused" says more than "error sending".
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
