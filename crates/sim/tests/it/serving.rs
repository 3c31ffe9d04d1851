//! The accept loop: TLS, HTTP/2, stopping.

use std::sync::Arc;

use hallpass_sim::{Simulator, SimulatorConfig};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::support::{Sim, realtime, standard_key};

/// A server's settings, and those of a client that trusts it.
fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    (Arc::new(server), Arc::new(client))
}

#[tokio::test]
async fn speaks_http_2_over_tls() {
    let (server, client) = tls();
    let clock = Arc::new(|| std::time::SystemTime::UNIX_EPOCH);
    let simulator = Simulator::new(SimulatorConfig::new(clock));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = simulator.clone();
    tokio::spawn(async move {
        served
            .serve(listener, Some(server), std::future::pending())
            .await;
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(client)
        .connect(name, stream)
        .await
        .unwrap();
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!(
        "https://localhost:{}/v1/realtime/client_secrets",
        address.port()
    ))
    .header("authorization", format!("Bearer {}", standard_key()))
    .header("content-type", "application/json")
    .body(Full::new(bytes::Bytes::from(realtime().to_string())))
    .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["expires_at"], 600);
}

#[tokio::test]
async fn stopping_closes_the_sessions() {
    let sim = Sim::start().await;
    let bearer = format!("Bearer {}", standard_key());
    let mut socket = sim
        .socket("?model=gpt-realtime", &[("authorization", &bearer)])
        .await;
    socket.event().await;
    let simulator = sim.simulator.clone();
    let (closed, ()) = tokio::join!(socket.close(), sim.stop());
    assert_eq!(closed.unwrap().0, 1001);
    assert!(simulator.sessions().is_empty());
}

#[tokio::test]
async fn two_hundred_concurrent_mints_are_distinct_and_logged() {
    let sim = Arc::new(Sim::start().await);
    let mints = (0..200).map(|_| {
        let sim = Arc::clone(&sim);
        tokio::spawn(async move { sim.secret(&json!({"session": {"type": "realtime"}})).await })
    });
    let mut secrets = Vec::new();
    for mint in mints.collect::<Vec<_>>() {
        secrets.push(mint.await.unwrap());
    }
    let logged = sim.simulator.log();
    assert_eq!(logged.len(), 200);
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 200);
    let mut issued: Vec<_> = logged
        .iter()
        .map(|entry| entry.secret_last_four.clone().unwrap())
        .collect();
    let mut held: Vec<_> = secrets
        .iter()
        .map(|it| it[it.len() - 4..].to_owned())
        .collect();
    issued.sort();
    held.sort();
    assert_eq!(issued, held);
}
