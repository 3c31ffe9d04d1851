//! HTTP/2 and trust, over TLS with certificates made for the test.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use hallpass_core::{
    code::Code,
    ports::{MintFailure, Minter as _},
};
use http_body_util::Full;
use hyper::{Request, Response, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{SECRET, check_told, client_with, order, settings};

/// A certificate authority of one test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server's TLS configuration, with a certificate for this host.
    fn server(&self, host: &str, expired: bool, protocols: &[&str]) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        config
    }
}

/// A TLS upstream that mints, and counts.
struct TlsUpstream {
    base_url: String,
    connections: Arc<AtomicUsize>,
    http2_requests: Arc<AtomicUsize>,
}

impl TlsUpstream {
    async fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let http2_requests = Arc::new(AtomicUsize::new(0));
        let upstream = Self {
            base_url: format!("https://127.0.0.1:{port}/v1"),
            connections: connections.clone(),
            http2_requests: http2_requests.clone(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(acceptor.clone(), stream, http2_requests.clone()));
            }
        });
        upstream
    }
}

async fn serve(acceptor: TlsAcceptor, stream: tokio::net::TcpStream, http2: Arc<AtomicUsize>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request: Request<Incoming>| {
        if request.version() == Version::HTTP_2 {
            http2.fetch_add(1, Ordering::SeqCst);
        }
        assert!(request.headers().contains_key("openai-safety-identifier"));
        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(SECRET)))) }
    });
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[tokio::test]
async fn many_mints_share_one_http2_connection() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1", false, &["h2", "http/1.1"]);
    let upstream = TlsUpstream::start(config).await;
    let mut settings = settings(&upstream.base_url);
    settings.extra_roots_pem = Some(authority.pem());
    let client = client_with(settings);
    let minted = client.mint(order()).await.unwrap();
    assert!(minted.connect_url.starts_with("wss://127.0.0.1:"));
    let mints: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.mint(order()).await })
        })
        .collect();
    for mint in mints {
        mint.await.unwrap().unwrap();
    }
    assert_eq!(upstream.http2_requests.load(Ordering::SeqCst), 21);
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_host_without_http2_is_spoken_to_in_http1() {
    let authority = Authority::new();
    for protocols in [&["http/1.1"][..], &[]] {
        let upstream = TlsUpstream::start(authority.server("127.0.0.1", false, protocols)).await;
        let mut settings = settings(&upstream.base_url);
        settings.extra_roots_pem = Some(authority.pem());
        client_with(settings).mint(order()).await.unwrap();
        assert_eq!(upstream.http2_requests.load(Ordering::SeqCst), 0);
    }
}

async fn untrusted(base_url: &str, roots: String) -> Box<MintFailure> {
    let mut settings = settings(base_url);
    settings.extra_roots_pem = Some(roots);
    let failure = client_with(settings).mint(order()).await.unwrap_err();
    check_told(&failure);
    assert_eq!(failure.refusal.code, Code::UpstreamUnreachable);
    assert!(!failure.upstream.orphan_possible);
    failure
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_says_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (host, expired, roots, told) in [
        ("127.0.0.1", false, stranger.pem(), "is not trusted"),
        ("127.0.0.1", true, authority.pem(), "is expired"),
        (
            "other.example",
            false,
            authority.pem(),
            "is for another host",
        ),
    ] {
        let config = authority.server(host, expired, &["h2"]);
        let upstream = TlsUpstream::start(config).await;
        let failure = untrusted(&upstream.base_url, roots).await;
        let internal = failure.refusal.internal.unwrap();
        assert!(internal.contains(told), "{internal}");
        assert_eq!(upstream.http2_requests.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_host_that_speaks_no_tls_is_unreachable() {
    // Plain HTTP where TLS is expected: the server closes on what it can't read.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let failure = untrusted(&format!("https://{address}/v1"), Authority::new().pem()).await;
    let internal = failure.refusal.internal.unwrap();
    assert!(internal.contains("TLS handshake failed"), "{internal}");
}
