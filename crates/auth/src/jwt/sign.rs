//! Making a token: for local development, where Hallpass plays the app.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use crate::base64url;

/// Why a token can't be made.
#[derive(Debug, thiserror::Error)]
#[error("the claims can't be written as JSON: {0}")]
pub struct SignError(#[from] serde_json::Error);

/// Signs claims with HS256.
///
/// # Errors
///
/// [`SignError`] when the claims are no JSON.
pub fn sign_hs256(
    secret: &SecretString,
    claims: &impl serde::Serialize,
) -> Result<String, SignError> {
    let header = base64url::encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = base64url::encode(&serde_json::to_vec(claims)?);
    let signed = format!("{header}.{payload}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let tag = hmac::sign(&key, signed.as_bytes());
    Ok(format!("{signed}.{}", base64url::encode(tag.as_ref())))
}
