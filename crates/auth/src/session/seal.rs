//! Making a session: for local development, where Hallpass plays the app.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use secrecy::SecretString;

use super::{CookieFormat, content::Encryption, keys::derive_key};
use crate::base64url;

/// Why a session can't be made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The claims are no JSON.
    #[error("the claims can't be written as JSON: {0}")]
    Claims(#[from] serde_json::Error),
    /// The cryptographic library refused.
    #[error("the session can't be encrypted")]
    Encryption,
}

/// Makes the value of a NextAuth v4 session cookie.
///
/// `iv` is 12 random bytes, never used before with this secret.
///
/// # Errors
///
/// [`SealError`] when the claims are no JSON.
pub fn seal_next_auth_v4(
    secret: &SecretString,
    claims: &impl serde::Serialize,
    iv: [u8; 12],
) -> Result<String, SealError> {
    let protected = base64url::encode(br#"{"alg":"dir","enc":"A256GCM"}"#);
    let mut content = serde_json::to_vec(claims)?;
    let tag = encrypt(secret, protected.as_bytes(), iv, &mut content);
    let tag = tag.ok_or(SealError::Encryption)?;
    Ok(format!(
        "{protected}..{}.{}.{}",
        base64url::encode(&iv),
        base64url::encode(&content),
        base64url::encode(tag.as_ref())
    ))
}

fn encrypt(
    secret: &SecretString,
    aad: &[u8],
    iv: [u8; 12],
    content: &mut [u8],
) -> Option<aead::Tag> {
    // The name of the cookie has no part in a version 4 key.
    let key = derive_key(CookieFormat::NextAuthV4, "", secret, Encryption::A256Gcm)?;
    let key = LessSafeKey::new(UnboundKey::new(&aead::AES_256_GCM, &key).ok()?);
    let nonce = Nonce::assume_unique_for_key(iv);
    key.seal_in_place_separate_tag(nonce, Aad::from(aad), content)
        .ok()
}
