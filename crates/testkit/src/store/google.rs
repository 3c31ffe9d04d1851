//! Google Cloud Storage: tokens a service account signs itself.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::Asked;

/// An account with a key of its own, made for the test.
#[derive(Debug)]
pub struct ServiceAccount {
    key: KeyPair,
}

impl ServiceAccount {
    const EMAIL: &'static str = "hallpass@project.iam.gserviceaccount.example";

    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { key }
    }

    /// What Google's console gives to download.
    #[must_use]
    pub fn to_json(&self) -> String {
        let der: Pkcs8V1Der<'_> = self.key.as_der().unwrap();
        let text = BASE64_STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let (label, lines) = ("PRIVATE KEY", lines.join("\n"));
        json!({
            "type": "service_account", "client_email": Self::EMAIL, "private_key_id": "1",
            "private_key": format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"),
        })
        .to_string()
    }

    /// Whether a request carries a token this account has signed.
    pub(super) fn has_signed(&self, asked: &Asked) -> bool {
        let token = asked.header("authorization").strip_prefix("Bearer ");
        let Some((signed, signature)) = token.and_then(|token| token.rsplit_once('.')) else {
            return false;
        };
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        let public = self.key.public_key().as_ref();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        key.verify(signed.as_bytes(), &signature).is_ok()
    }
}

impl Default for ServiceAccount {
    fn default() -> Self {
        Self::new()
    }
}
