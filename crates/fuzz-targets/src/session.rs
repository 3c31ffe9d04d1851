//! Session cookies: the header, the chunks, and the token within.

use std::sync::OnceLock;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_auth::{Chain, CookieFormat, CookieSettings, SessionCookies, cookies as header};
use hallpass_core::caller::Presented;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    SECRET,
    bearer::{empty_chain, judge},
};

const V4: &str = "next-auth.session-token";
const V5: &str = "authjs.session-token";

fn chain() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let scheme = |name: &str, format, cookie: &str| {
            let secrets = vec![SecretString::from(SECRET)];
            let settings = CookieSettings::new(name, format, cookie, secrets);
            SessionCookies::new(settings).expect("good settings")
        };
        empty_chain()
            .with_session_cookie(scheme("four", CookieFormat::NextAuthV4, V4))
            .with_session_cookie(scheme("five", CookieFormat::AuthJsV5, V5))
    })
}

fn present<'a>(cookies: &[(&'a str, &'a str)]) -> Presented<'a> {
    Presented {
        cookies: cookies.to_vec(),
        ..Presented::default()
    }
}

/// A `Cookie` header as it comes: read, put together, refused.
pub fn cookies(input: &[u8]) {
    let Ok(pairs) = header::parse(input) else {
        return;
    };
    for (name, value) in &pairs {
        assert!(!name.is_empty() && !name.contains([';', '=']));
        assert!(!value.contains(';'));
    }
    let accepted = judge(chain(), &present(&pairs));
    // A corpus may hold a sealed session; it says who it is of.
    assert!(accepted.is_none_or(|caller| caller.subject.as_str() == "user-1"));
}

/// A token as a cookie's value, and the input as what a sealed token holds.
pub fn jwe(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        for name in [V4, V5] {
            let accepted = judge(chain(), &present(&[(name, text)]));
            assert!(accepted.is_none_or(|caller| caller.subject.as_str() == "user-1"));
        }
    }
    let sealed = seal(input).expect("the key is good");
    let Some(caller) = judge(chain(), &present(&[(V4, &sealed)])) else {
        return;
    };
    let claims: Value = serde_json::from_slice(input).expect("an accepted session is JSON");
    assert_eq!(claims["sub"], caller.subject.as_str());
    assert!(claims["exp"].is_number());
}

/// Seals bytes as `NextAuth` v4 seals a session. The nonce never changes, which
/// is no matter for a key that protects nothing.
fn seal(content: &[u8]) -> Option<String> {
    let protected = URL_SAFE_NO_PAD.encode(br#"{"alg":"dir","enc":"A256GCM"}"#);
    let mut sealed = content.to_vec();
    let tag = key()
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key([7; 12]),
            Aad::from(protected.as_bytes()),
            &mut sealed,
        )
        .ok()?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (iv, content, tag) = (text(&[7; 12]), text(&sealed), text(tag.as_ref()));
    Some(format!("{protected}..{iv}.{content}.{tag}"))
}

fn key() -> &'static LessSafeKey {
    static KEY: OnceLock<LessSafeKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"").extract(SECRET.as_bytes());
        let info: [&[u8]; 1] = [b"NextAuth.js Generated Encryption Key"];
        let okm = prk.expand(&info, &AES_256_GCM).expect("32 bytes are few");
        LessSafeKey::new(UnboundKey::from(okm))
    })
}
