//! Keys: an issuer's document, and the text of an API key.

use hallpass_auth::{
    Algorithm,
    jwt::{KeySet, MAX_JWKS_KEYS, jwks_uri},
};
use hallpass_core::key::{ApiKey, KEY_RANDOM_BYTES, KeyKind};

const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs512,
];

/// A key set, and a provider's description.
pub fn jwks(input: &[u8]) {
    if let Ok(set) = KeySet::parse(input, &ALGORITHMS) {
        assert!(!set.is_empty() && set.len() + set.dropped().len() <= MAX_JWKS_KEYS);
    }
    if let Ok(address) = jwks_uri(input, "https://i.test") {
        let text = std::str::from_utf8(input).expect("accepted JSON is UTF-8");
        assert!(text.contains("https://i.test") || text.contains('\\'));
        drop(address);
    }
}

/// The text of an API key, as it comes and put into a good one: what is read is
/// what was written, and nothing else is.
pub fn api_key(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        assert_read_as_written(text);
    }
    let Some((random, rest)) = input.split_first_chunk::<KEY_RANDOM_BYTES>() else {
        return;
    };
    let made = ApiKey::generate(KeyKind::Svc, random);
    let read = ApiKey::parse(made.expose()).expect("what is made is read");
    assert_eq!(read.id(), made.id());
    if let Some((at, rest)) = rest.split_first()
        && let Ok(text) = std::str::from_utf8(rest)
    {
        let mut changed = made.expose().to_owned();
        let at = usize::from(*at) % changed.len();
        changed.insert_str(at, text);
        assert_read_as_written(&changed);
        assert!(
            text.is_empty() || ApiKey::parse(&changed).is_err(),
            "a changed key is none"
        );
    }
}

fn assert_read_as_written(text: &str) {
    if let Ok(key) = ApiKey::parse(text) {
        assert_eq!(key.expose(), text);
        assert!(text.starts_with("hp_"));
        assert!(!format!("{key:?}").contains(text), "a key is not shown");
    }
}
