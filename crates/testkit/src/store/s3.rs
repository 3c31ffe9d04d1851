//! S3: signatures of version 4, lists in XML.

use std::{collections::BTreeMap, fmt::Write};

use aws_lc_rs::{digest, hmac};
use hallpass_core::ids::hex;

use super::{Asked, page};

/// Whether a request is signed with the secret key, its body included.
pub(super) fn is_signed(asked: &Asked, key_id: &str, secret: &str) -> bool {
    let Some((scope, signed, signature)) = authorization(asked, key_id) else {
        return false;
    };
    let stated = asked.header("x-amz-content-sha256");
    if stated != hex(digest::digest(&digest::SHA256, &asked.body).as_ref()) {
        return false;
    }
    let canonical = canonical_request(asked, signed, stated);
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let date = asked.header("x-amz-date");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    hex(&mac(&key, &text)) == signature
}

/// Scope, names of the signed headers, and signature.
fn authorization<'a>(asked: &'a Asked, key_id: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let text = asked.header("authorization");
    let rest = text.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    let mut parts = rest.strip_prefix(key_id)?.strip_prefix('/')?.split(", ");
    let scope = parts.next()?;
    let signed = parts.next()?.strip_prefix("SignedHeaders=")?;
    let signature = parts.next()?.strip_prefix("Signature=")?;
    Some((scope, signed, signature))
}

fn canonical_request(asked: &Asked, signed: &str, payload: &str) -> String {
    let mut query: Vec<String> = asked
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name, false), encoded(value, false)))
        .collect();
    query.sort();
    let mut headers = String::new();
    for name in signed.split(';') {
        let _ = writeln!(headers, "{name}:{}", asked.header(name).trim());
    }
    let (method, path) = (&asked.method, encoded(&asked.path, true));
    let query = query.join("&");
    format!("{method}\n/{path}\n{query}\n{headers}\n{signed}\n{payload}")
}

fn encoded(text: &str, is_path: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || (is_path && byte == b'/') {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// A page as `ListObjectsV2` answers it; Google's XML API is the same.
pub(super) fn list(asked: &Asked, objects: &BTreeMap<String, Vec<u8>>) -> String {
    let prefix = asked.asked("prefix").unwrap_or("");
    let (found, next) = page(objects, prefix, asked.asked("continuation-token"));
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>".to_owned();
    for (name, size) in found {
        let _ = write!(
            xml,
            "<Contents><Key>{name}</Key><LastModified>2026-11-22T21:00:00.000Z</LastModified><ETag>\"1\"</ETag><Size>{size}</Size></Contents>"
        );
    }
    if let Some(next) = next {
        let _ = write!(xml, "<NextContinuationToken>{next}</NextContinuationToken>");
    }
    xml + "</ListBucketResult>"
}
