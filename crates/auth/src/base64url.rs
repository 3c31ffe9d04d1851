//! Base64url as JOSE wants it: unpadded, and one text for each value.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Reason;

/// Decodes; padding, other alphabets and non-zero trailing bits are errors.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Reason::Base64Invalid)
}

/// Encodes without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_text() {
        assert_eq!(decode("AQ").unwrap(), [1]);
        for text in ["AR", "AQ==", "A", "A+", "A/", "A Q", "AQ\n"] {
            assert_eq!(decode(text), Err(Reason::Base64Invalid), "{text:?}");
        }
    }
}
