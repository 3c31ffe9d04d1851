//! Who is calling: a standard key or a client secret.

use std::fmt;

use http::{HeaderMap, header};

/// Prefix of the subprotocol in which a browser carries its secret.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// A credential as presented, not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UnverifiedKey(String);

impl UnverifiedKey {
    /// From `Authorization: Bearer …`.
    pub(crate) fn from_header(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        let key = key.trim();
        let usable = scheme.eq_ignore_ascii_case("bearer") && !key.is_empty();
        usable.then(|| Self(key.to_owned()))
    }

    /// From the header, otherwise from the offered subprotocols.
    pub(crate) fn from_handshake(headers: &HeaderMap) -> Option<Self> {
        Self::from_header(headers).or_else(|| {
            offered_protocols(headers)
                .find_map(|protocol| protocol.strip_prefix(KEY_PROTOCOL))
                .filter(|key| !key.is_empty())
                .map(|key| Self(key.to_owned()))
        })
    }

    /// The key itself, for comparing.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The key as OpenAI shows it in a refusal: first eight and last four.
    pub(crate) fn masked(&self) -> String {
        let count = self.0.chars().count();
        if count < 20 {
            return "***".to_owned();
        }
        let head: String = self.0.chars().take(8).collect();
        let tail: String = self.0.chars().skip(count - 4).collect();
        format!("{head}***{tail}")
    }

    /// What the log keeps.
    pub(crate) fn last_four(&self) -> LastFour {
        LastFour::of(&self.0)
    }
}

impl fmt::Debug for UnverifiedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedKey(***)")
    }
}

/// The last four characters of a credential; none of one too short to hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastFour([u8; 4]);

impl LastFour {
    /// Of any text; characters outside ASCII show as `?`.
    pub(crate) fn of(text: &str) -> Self {
        let mut last = *b"****";
        if text.len() < 12 {
            return Self(last);
        }
        for (slot, byte) in last.iter_mut().rev().zip(text.bytes().rev()) {
            *slot = if byte.is_ascii_graphic() { byte } else { b'?' };
        }
        Self(last)
    }

    /// The four characters.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("****")
    }
}

/// The subprotocols a client offers, over all header lines.
pub(crate) fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

/// Whether the retired beta is asked for, by header.
pub(crate) fn beta_header(headers: &HeaderMap) -> bool {
    headers
        .get_all("openai-beta")
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|beta| beta.trim().starts_with("realtime"))
}

/// Whether the retired beta is asked for, by header or subprotocol.
pub(crate) fn beta_handshake(headers: &HeaderMap) -> bool {
    beta_header(headers) || offered_protocols(headers).any(|it| it == "openai-beta.realtime-v1")
}

/// The caller's safety identifier, cut to a sane length.
pub(crate) fn safety_identifier(headers: &HeaderMap) -> Option<Box<str>> {
    let value = headers.get("openai-safety-identifier")?.to_str().ok()?;
    Some(value.chars().take(256).collect::<String>().into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn key(text: &str) -> UnverifiedKey {
        UnverifiedKey(text.to_owned())
    }

    #[test]
    fn masks_like_openai_and_hides_short_keys() {
        let long = format!("sk-{}-0123456789AAAA", "proj");
        assert_eq!(key(&long).masked(), "sk-proj-***AAAA");
        assert_eq!(key("sk-short").masked(), "***");
        assert_eq!(key("ééééééééééééééééééééééé").masked(), "éééééééé***éééé");
    }

    #[test]
    fn last_four_survives_any_text() {
        assert_eq!(LastFour::of("0123456789abcdef").as_str(), "cdef");
        assert_eq!(LastFour::of("short").as_str(), "****");
        assert_eq!(LastFour::of("0123456789aé").as_str(), "9a??");
    }

    #[test]
    fn the_header_beats_the_subprotocol() {
        let mut headers = HeaderMap::new();
        let offer = HeaderValue::from_static("realtime, openai-insecure-api-key.ek_two");
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offer);
        let found = UnverifiedKey::from_handshake(&headers);
        assert_eq!(found, Some(key("ek_two")));
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static("bearer ek_one"),
        );
        let found = UnverifiedKey::from_handshake(&headers);
        assert_eq!(found, Some(key("ek_one")));
    }
}
