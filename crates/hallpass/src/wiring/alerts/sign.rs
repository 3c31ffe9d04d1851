//! Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use hallpass_core::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// The secrets a message is signed with: while one is replaced, two.
pub(super) struct Signer(Vec<hmac::Key>);

impl Signer {
    /// The secrets of a configuration, which has checked them: `whsec_…`, with
    /// spaces between several.
    pub(super) fn new(secrets: &SecretString) -> Self {
        let texts = secrets.expose_secret().split_whitespace();
        let keys = texts.filter_map(|text| {
            let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
            Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        });
        Self(keys.collect())
    }

    /// `webhook-signature` of a message.
    pub(super) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let head = format!("{id}.{}.", at.as_second());
        let signed = [head.as_bytes(), body].concat();
        let signature = |key| format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed)));
        let signatures: Vec<String> = self.0.iter().map(signature).collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_example_of_the_specification_is_signed_alike() {
        let secret = ["whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"].concat();
        let signer = Signer::new(&SecretString::from(secret.clone()));
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body),
            signature
        );
        let both = Signer::new(&SecretString::from(format!("{secret} {secret}")));
        let signed = both.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body);
        assert_eq!(signed, format!("{signature} {signature}"));
    }
}
