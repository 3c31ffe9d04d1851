//! OpenID discovery: where an issuer says its keys are.

use crate::json::{Json, Object};

/// Why a discovery document does not lead to keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// It is not strict JSON.
    #[error("the discovery document is not a JSON object without duplicate members ({0})")]
    Json(&'static str),
    /// It speaks for another issuer.
    #[error("the discovery document names another issuer than the configured one")]
    Issuer,
    /// It has no `jwks_uri`, or none that is a text.
    #[error("the discovery document has no jwks_uri")]
    NoAddress,
}

/// Where an issuer's discovery document lies (OpenID Connect Discovery 1.0, 4).
#[must_use]
pub fn discovery_address(issuer: &str) -> String {
    let base = issuer.trim_end_matches('/');
    format!("{base}/.well-known/openid-configuration")
}

/// The `jwks_uri` of a discovery document that names exactly this issuer.
///
/// Whether the address may be connected to is for the caller to check.
///
/// # Errors
///
/// [`DiscoveryError`] when the document can't be trusted or lacks the address.
pub fn jwks_uri(document: &[u8], issuer: &str) -> Result<String, DiscoveryError> {
    let object = Object::read(document).map_err(|reason| DiscoveryError::Json(reason.as_str()))?;
    if object.get("issuer").and_then(Json::as_text) != Some(issuer) {
        return Err(DiscoveryError::Issuer);
    }
    let address = object.get("jwks_uri").and_then(Json::as_text);
    address.map(str::to_owned).ok_or(DiscoveryError::NoAddress)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://issuer.test/realm";

    #[test]
    fn only_the_configured_issuer_says_where_its_keys_are() {
        let read = |text: &str| jwks_uri(text.as_bytes(), ISSUER);
        let good =
            r#"{"issuer":"https://issuer.test/realm","jwks_uri":"https://issuer.test/keys"}"#;
        assert_eq!(read(good), Ok("https://issuer.test/keys".to_owned()));
        for other in ["https://issuer.test/realm/", "https://issuer.test", ""] {
            let text = format!(r#"{{"issuer":"{other}","jwks_uri":"https://a.test"}}"#);
            assert_eq!(read(&text), Err(DiscoveryError::Issuer), "{other}");
        }
        let none = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":7}}"#);
        assert_eq!(read(&none), Err(DiscoveryError::NoAddress));
        let twice = format!(r#"{{"issuer":"{ISSUER}","issuer":"https://e.test"}}"#);
        let duplicate = DiscoveryError::Json("json_duplicate_member");
        assert_eq!(read(&twice), Err(duplicate));
    }

    #[test]
    fn the_address_has_one_slash_between_its_parts() {
        for issuer in [ISSUER.to_owned(), format!("{ISSUER}/")] {
            let expected = format!("{ISSUER}/.well-known/openid-configuration");
            assert_eq!(discovery_address(&issuer), expected);
        }
    }
}
