//! Azure Blob Storage: the shared key's signature, lists and batches.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use aws_lc_rs::hmac;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{Asked, BUCKET, LAST_MODIFIED, page};

/// The headers whose values are signed without their names, in order.
const STANDARD: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Whether a request is signed with the account's key.
pub(super) fn is_signed(asked: &Asked, account: &str, key: &str) -> bool {
    let expected = format!("SharedKey {account}:{}", signature(asked, account, key));
    asked.header("authorization") == expected
}

fn signature(asked: &Asked, account: &str, key: &str) -> String {
    let mut text = format!("{}\n", asked.method);
    for name in STANDARD {
        let value = asked.header(name);
        let empty = name == "content-length" && value == "0";
        let _ = writeln!(text, "{}", if empty { "" } else { value });
    }
    let ours: BTreeSet<&str> = asked
        .headers
        .keys()
        .map(axum::http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-ms-"))
        .collect();
    for name in ours {
        let _ = writeln!(text, "{name}:{}", asked.header(name).trim());
    }
    let _ = write!(text, "/{account}/{}", asked.path);
    let query: BTreeMap<&str, &str> = asked
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    for (name, value) in query {
        let _ = write!(text, "\n{name}:{value}");
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(key).unwrap());
    BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// A page as `List Blobs` answers it.
pub(super) fn list(asked: &Asked, objects: &BTreeMap<String, Vec<u8>>) -> String {
    let prefix = asked.asked("prefix").unwrap_or("");
    let (found, next) = page(objects, prefix, asked.asked("marker"));
    let mut xml =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>".to_owned();
    for (name, size) in found {
        let _ = write!(
            xml,
            "<Blob><Name>{name}</Name><Properties><Last-Modified>{LAST_MODIFIED}</Last-Modified><Etag>1</Etag><Content-Length>{size}</Content-Length><Content-Type>application/octet-stream</Content-Type></Properties></Blob>"
        );
    }
    let next = next.unwrap_or("");
    xml + &format!("</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>")
}

/// Deletes what a batch names, and answers each of its parts.
pub(super) fn batch(asked: &Asked, mut delete: impl FnMut(&str) -> StatusCode) -> Response {
    const BOUNDARY: &str = "batchresponse_1";
    let text = String::from_utf8_lossy(&asked.body);
    let mut answer = String::new();
    let named = text.lines().filter_map(|line| {
        let path = line.strip_prefix("DELETE /")?.strip_suffix(" HTTP/1.1")?;
        path.strip_prefix(BUCKET)?.strip_prefix('/')
    });
    for (id, name) in named.enumerate() {
        let status = delete(&super::decoded(name));
        let _ = write!(
            answer,
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\nHTTP/1.1 {status}\r\nx-ms-version: 2023-11-03\r\n\r\n"
        );
    }
    let _ = write!(answer, "--{BOUNDARY}--\r\n");
    let kind = format!("multipart/mixed; boundary={BOUNDARY}");
    (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, kind)], answer).into_response()
}
