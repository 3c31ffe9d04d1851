//! The request that asks for a WebSocket.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use hallpass_core::{code::Code, refusal::Refusal};
use http::{HeaderMap, Version, header, request::Parts};

/// What a server's answer to a key is made with.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The key of a good handshake.
///
/// # Errors
///
/// A [`Refusal`]: the request asks for no WebSocket, or not as RFC 6455 says.
pub(super) fn key(request: &Parts) -> Result<String, Refusal> {
    let headers = &request.headers;
    let says = |name, word: &str| {
        let values = headers.get_all(name).iter();
        let words = values.filter_map(|value| value.to_str().ok());
        let mut words = words.flat_map(|value| value.split(','));
        words.any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    let upgrades = says(header::CONNECTION, "upgrade") && says(header::UPGRADE, "websocket");
    let version = says(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.and_then(|key| key.to_str().ok()).map(str::trim);
    let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16));
    match key {
        Some(key) if upgrades && version && request.version == Version::HTTP_11 => {
            Ok(key.to_owned())
        }
        _ => Err(Refusal::new(
            Code::InvalidMember,
            "This address is a WebSocket. Send an upgrade request of version 13 over HTTP/1.1.",
        )),
    }
}

/// The answer to a key.
pub(super) fn accept(key: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(GUID);
    STANDARD.encode(context.finish())
}

/// The subprotocols a client offers, in its order.
pub(super) fn protocols(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let offers = texts.flat_map(|text| text.split(','));
    offers
        .map(|offer| offer.trim().to_owned())
        .filter(|offer| !offer.is_empty())
        .collect()
}

/// The first value of a query parameter.
pub(super) fn query(request: &Parts, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = axum::extract::Query::try_from_uri(&request.uri).ok()?.0;
    let found = pairs.into_iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_key_has_the_rfcs_answer() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
