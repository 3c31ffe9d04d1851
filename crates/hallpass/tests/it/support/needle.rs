//! Looks for a secret in whatever form it could leak.

use base64::{Engine, engine::general_purpose};

/// A secret in every form in which it could be written down.
pub(crate) struct Needle {
    name: &'static str,
    forms: Vec<(&'static str, String)>,
}

impl Needle {
    /// The forms of a secret: whole, in parts, reversed and encoded.
    pub(crate) fn new(name: &'static str, secret: &str) -> Self {
        let bytes = secret.as_bytes();
        let hex = hallpass_core::ids::hex(bytes);
        let percent: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        let reversed: String = secret.chars().rev().collect();
        let mut forms = vec![
            ("plain", secret.to_owned()),
            ("reversed", reversed),
            ("HEX", hex.to_uppercase()),
            ("hex", hex),
            ("PERCENT", percent.to_uppercase()),
            ("percent", percent),
        ];
        // A part of it is as bad; the last four characters may be shown.
        let sixteen = secret.len().min(16);
        forms.push(("its beginning", secret[..sixteen].to_owned()));
        forms.push(("its end", secret[secret.len() - sixteen..].to_owned()));
        for shift in 0..3 {
            forms.push((
                "base64",
                aligned(&general_purpose::STANDARD_NO_PAD, bytes, shift),
            ));
            forms.push((
                "base64url",
                aligned(&general_purpose::URL_SAFE_NO_PAD, bytes, shift),
            ));
        }
        Self { name, forms }
    }

    /// The form in which some bytes hold the secret.
    pub(crate) fn found_in(&self, hay: &[u8]) -> Option<&'static str> {
        // Every form is ASCII, which a lossy reading leaves as it is.
        let hay = String::from_utf8_lossy(hay);
        let found = self.forms.iter().find(|(_, form)| hay.contains(form));
        found.map(|(name, _)| *name)
    }

    /// Fails where the secret is found.
    pub(crate) fn assert_absent(&self, place: &str, hay: &[u8]) {
        let found = self.found_in(hay);
        assert_eq!(found, None, "{} is in {place}", self.name);
    }
}

/// The part of the base64 that does not depend on what stands around.
fn aligned(engine: &general_purpose::GeneralPurpose, bytes: &[u8], shift: usize) -> String {
    let padded = [&b"\0\0"[..shift], bytes].concat();
    let text = engine.encode(&padded);
    // Characters that hold bits of the bytes before or after are left out.
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text[first..last].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let secret = ["sk-", "canary-", "0123456789abcdefXYZ"].concat();
        let needle = Needle::new("it", &secret);
        let engine = general_purpose::STANDARD;
        for around in ["", "a", "ab", "abc"] {
            let text = engine.encode(format!("{around}{secret}{around}"));
            assert!(needle.found_in(text.as_bytes()).is_some(), "{around:?}");
        }
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert!(
            needle
                .found_in(format!("q={percent}&").as_bytes())
                .is_some()
        );
        assert!(
            needle
                .found_in(hallpass_core::ids::hex(secret.as_bytes()).as_bytes())
                .is_some()
        );
        assert!(needle.found_in(b"sk-canary-0123456").is_some());
        assert_eq!(needle.found_in(b"the key ends in fXYZ"), None);
        assert_eq!(needle.found_in(b"sk-canary"), None);
    }
}
