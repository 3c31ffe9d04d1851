//! One request and its whole answer, over a connection of its own.
use std::net::SocketAddr;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::wire::Connection;

/// Sends a request and gives the body of a good answer.
pub(crate) async fn text(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<String> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut connection = Connection::open(address).await?;
    let answer = connection.exchange(request.as_bytes()).await?;
    let text = String::from_utf8_lossy(connection.body(&answer)).into_owned();
    let good = (200..300).contains(&answer.status);
    ensure!(good, "{method} {path}: {} {text}", answer.status);
    Ok(text)
}

/// The same, where the body is JSON.
pub(crate) async fn json(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<Value> {
    Ok(serde_json::from_str(
        &text(address, method, path, body).await?,
    )?)
}
