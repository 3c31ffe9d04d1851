//! The compact form of an encrypted token, with a direct key.

use super::content::Encryption;
use crate::{
    Reason, base64url,
    json::{Json, Object},
};

/// The parts of an encrypted token; nothing in it is proven.
pub(super) struct SealedToken<'t> {
    /// The header as sent: it is authenticated in this form.
    pub(super) protected: &'t str,
    pub(super) encryption: Encryption,
    pub(super) kid: Option<String>,
    pub(super) iv: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

impl<'t> SealedToken<'t> {
    pub(super) fn split(token: &'t str) -> Result<Self, Reason> {
        let mut parts = token.split('.');
        let (Some(protected), Some(wrapped_key), Some(iv), Some(ciphertext), Some(tag), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(Reason::TokenShape);
        };
        if !wrapped_key.is_empty() {
            return Err(Reason::EncryptedKeyPresent);
        }
        let header = base64url::decode(protected)?;
        let (encryption, kid) = read_header(&header)?;
        let sealed = Self {
            protected,
            encryption,
            kid,
            iv: base64url::decode(iv)?,
            ciphertext: base64url::decode(ciphertext)?,
            tag: base64url::decode(tag)?,
        };
        sealed.check_lengths()?;
        Ok(sealed)
    }

    /// A short tag would be easier to guess, and some libraries take one.
    fn check_lengths(&self) -> Result<(), Reason> {
        if self.iv.len() != self.encryption.iv_bytes() {
            return Err(Reason::IvLength);
        }
        if self.tag.len() != self.encryption.tag_bytes() {
            return Err(Reason::TagLength);
        }
        Ok(())
    }
}

fn read_header(bytes: &[u8]) -> Result<(Encryption, Option<String>), Reason> {
    let header = Object::read(bytes)?;
    for name in header.names() {
        match name {
            "alg" | "enc" | "kid" => {}
            "crit" => return Err(Reason::CritPresent),
            "zip" => return Err(Reason::ZipPresent),
            "cty" => return Err(Reason::NestedToken),
            _ => return Err(Reason::HeaderMemberRefused),
        }
    }
    if header.get("alg").and_then(Json::as_text) != Some("dir") {
        return Err(Reason::AlgNotAllowed);
    }
    let enc = header.get("enc").and_then(Json::as_text);
    let encryption = enc.and_then(|enc| enc.parse().ok());
    let encryption = encryption.ok_or(Reason::EncNotAllowed)?;
    match header.get("kid") {
        None => Ok((encryption, None)),
        Some(Json::Text(kid)) => Ok((encryption, Some(kid.clone().into_owned()))),
        Some(_) => Err(Reason::KidInvalid),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(enc: &str, iv: usize, tag: usize) -> Option<Reason> {
        let header = format!(r#"{{"alg":"dir","enc":"{enc}"}}"#);
        let [header, iv, tag] =
            [header.into_bytes(), vec![1; iv], vec![2; tag]].map(|part| base64url::encode(&part));
        SealedToken::split(&format!("{header}..{iv}.AAAA.{tag}")).err()
    }

    #[test]
    fn vector_and_tag_have_one_length_each() {
        assert_eq!(fault("A256GCM", 12, 16), None);
        assert_eq!(fault("A256CBC-HS512", 16, 32), None);
        assert_eq!(fault("A256GCM", 11, 16), Some(Reason::IvLength));
        assert_eq!(fault("A256CBC-HS512", 12, 32), Some(Reason::IvLength));
        assert_eq!(fault("A256GCM", 12, 12), Some(Reason::TagLength));
        assert_eq!(fault("A256CBC-HS512", 16, 16), Some(Reason::TagLength));
        assert_eq!(fault("A128GCM", 12, 16), Some(Reason::EncNotAllowed));
    }

    proptest! {
        #[test]
        fn no_text_panics(token in "[A-Za-z0-9_.=-]{0,200}", header in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = SealedToken::split(&token);
            let _ = read_header(&header);
            let _ = SealedToken::split(&format!("{}..AAAA.AAAA.AAAA", base64url::encode(&header)));
        }
    }
}
