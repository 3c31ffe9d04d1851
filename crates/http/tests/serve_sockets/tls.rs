//! TLS from files that change.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use hallpass_http::serve::tls::{TlsError, TlsReloader};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::support::{Running, SHORT, limits, read_answer, read_to_close, start_with};

const GET: &[u8] = b"GET /facts HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A folder with `cert.pem` and `key.pem`, and the certificate in them.
struct Files {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

fn self_signed(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = self_signed(folder.path());
        Self {
            folder,
            certificate,
        }
    }

    fn open(&self) -> Arc<TlsReloader> {
        let folder = self.folder.path();
        TlsReloader::open(folder.join("cert.pem"), folder.join("key.pem")).unwrap()
    }
}

fn connector(trusted: &CertificateDer<'static>, alpn: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn connect(
    server: &Running,
    trusted: &CertificateDer<'static>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = server.connect().await;
    connector(trusted, alpn).connect(name, stream).await
}

async fn serve(tls: Arc<TlsReloader>) -> Running {
    start_with(|server| server.limits(limits()).tls(tls)).await
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(GET).await.unwrap();
    read_answer(stream).await
}

#[tokio::test]
async fn http1_and_http2_are_agreed_on_by_alpn() {
    let files = Files::new();
    let server = serve(files.open()).await;
    let mut one = connect(&server, &files.certificate, &[b"http/1.1"])
        .await
        .unwrap();
    assert_eq!(one.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(get(&mut one).await.ends_with("true"));

    let two = connect(&server, &files.certificate, &[b"h2", b"http/1.1"])
        .await
        .unwrap();
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(two);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut requests, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/").body(axum::body::Body::empty());
    let answer = requests.send_request(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_handshake_that_stalls_is_closed() {
    let files = Files::new();
    let mut limits = limits();
    limits.tls_handshake = SHORT;
    let server = start_with(|server| server.limits(limits).tls(files.open())).await;
    let mut silent = server.connect().await;
    read_to_close(&mut silent).await;
    let mut partial = server.connect_and_send(b"\x16\x03\x01\x02\x00\x01").await;
    read_to_close(&mut partial).await;
    assert_eq!(server.statistics.snapshot().failed_handshakes, 2);
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_closed() {
    let files = Files::new();
    let server = serve(files.open()).await;
    let mut plain = server.connect_and_send(GET).await;
    read_to_close(&mut plain).await;
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_new_certificate_serves_new_connections_and_old_ones_live_on() {
    let files = Files::new();
    let tls = files.open();
    let server = serve(tls.clone()).await;
    let mut old = connect(&server, &files.certificate, &[]).await.unwrap();
    get(&mut old).await;

    let renewed = self_signed(files.folder.path());
    tls.reload().unwrap();
    assert!(
        get(&mut old).await.ends_with("true"),
        "the old connection lives on"
    );
    assert!(connect(&server, &files.certificate, &[]).await.is_err());
    let mut new = connect(&server, &renewed, &[]).await.unwrap();
    assert!(get(&mut new).await.ends_with("true"));
}

#[tokio::test]
async fn a_bad_new_file_leaves_the_certificate_in_use() {
    let files = Files::new();
    let tls = files.open();
    let server = serve(tls.clone()).await;
    let other = Files::new();
    let key = files.folder.path().join("key.pem");
    std::fs::copy(other.folder.path().join("key.pem"), &key).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Unusable { .. })));
    std::fs::write(&key, "nothing").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::NoKey(_))));
    std::fs::write(files.folder.path().join("cert.pem"), "").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::NoCertificate(_))));
    std::fs::remove_file(&key).unwrap();
    let mut stream = connect(&server, &files.certificate, &[]).await.unwrap();
    assert!(get(&mut stream).await.ends_with("true"));
}

#[tokio::test]
async fn watching_notices_a_bad_file_and_then_a_good_one() {
    let files = Files::new();
    let tls = files.open();
    let server = serve(tls.clone()).await;
    let stop = CancellationToken::new();
    let (sender, attempts) = mpsc::channel();
    let watching = tokio::spawn(tls.watch(
        Duration::from_millis(10),
        stop.clone(),
        move |result| sender.send(result.is_ok()).unwrap(),
    ));
    let next = || {
        let attempts = &attempts;
        async move {
            loop {
                match attempts.try_recv() {
                    Ok(good) => return good,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        }
    };
    std::fs::write(files.folder.path().join("cert.pem"), "half a file").unwrap();
    assert!(!next().await);
    let renewed = self_signed(files.folder.path());
    while !next().await {}
    let mut stream = connect(&server, &renewed, &[]).await.unwrap();
    assert!(get(&mut stream).await.ends_with("true"));
    stop.cancel();
    watching.await.unwrap();
}
