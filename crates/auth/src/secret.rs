//! Which shared secrets must not be used.

/// Fewest characters of a shared secret.
const MIN_CHARS: usize = 32;
/// Words that guides and templates make their examples of, long ones first.
const EXAMPLE_WORDS: [&str; 42] = [
    "abcdefghijklmnopqrstuvwxyz",
    "placeholder",
    "development",
    "production",
    "characters",
    "0123456789",
    "1234567890",
    "generated",
    "generate",
    "password",
    "nextauth",
    "openssl",
    "example",
    "default",
    "replace",
    "change",
    "insert",
    "please",
    "random",
    "secret",
    "base64",
    "string",
    "authjs",
    "super",
    "local",
    "token",
    "least",
    "hs256",
    "hmac",
    "auth",
    "your",
    "this",
    "with",
    "here",
    "long",
    "rand",
    "256",
    "bit",
    "key",
    "jwt",
    "my",
    "me",
];
/// Characters besides such words that are too few to make a secret.
const FEW_CHARS: usize = 6;

/// Why a secret must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It is short enough to be guessed.
    #[error("it has fewer than {MIN_CHARS} characters; make one with `openssl rand -base64 33`")]
    Short,
    /// It begins or ends with white space, which is part of the secret.
    #[error("it begins or ends with white space, which is part of the secret; write it without")]
    WhiteSpace,
    /// It is a text that guides use as an example, or one character repeated.
    #[error("it is a well-known example; make one with `openssl rand -base64 33`")]
    WellKnown,
}

/// What is wrong with a shared secret, if anything.
#[must_use]
pub fn weakness(secret: &str) -> Option<Weakness> {
    if secret.trim() != secret {
        return Some(Weakness::WhiteSpace);
    }
    if is_well_known(secret) {
        return Some(Weakness::WellKnown);
    }
    (secret.chars().count() < MIN_CHARS).then_some(Weakness::Short)
}

/// Whether next to nothing but example words is left of the letters and digits.
fn is_well_known(secret: &str) -> bool {
    let plain = secret.chars().filter(|c| c.is_alphanumeric());
    let plain: String = plain.flat_map(char::to_lowercase).collect();
    let rest = EXAMPLE_WORDS
        .iter()
        .fold(plain, |rest, word| rest.replace(word, ""));
    rest.chars().count() <= FEW_CHARS || is_one_character(secret)
}

fn is_one_character(secret: &str) -> bool {
    let mut chars = secret.chars();
    let first = chars.next();
    first.is_some() && chars.all(|c| Some(c) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_from_guides_are_refused_however_they_are_written() {
        for secret in [
            "your-256-bit-secret",
            "YOUR_SECRET_HERE",
            "password",
            "supersecret_supersecret",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "my-super-secret-nextauth-secret-change-me-please",
            "REPLACE_WITH_OPENSSL_RAND_BASE64_32_AT_LEAST",
            "this-is-a-256-bit-secret-key-for-jwt-hs256",
        ] {
            assert_eq!(weakness(secret), Some(Weakness::WellKnown), "{secret}");
        }
    }

    #[test]
    fn white_space_and_shortness_are_told_apart() {
        let good = "kS8qv2N0xJ7dT4mZ1bR6yW3cL9fH5gPu";
        assert_eq!(weakness(good), None);
        assert_eq!(weakness("correct horse battery staple lamp"), None);
        assert_eq!(weakness(&format!("{good}\n")), Some(Weakness::WhiteSpace));
        assert_eq!(weakness(&good[1..]), Some(Weakness::Short));
    }
}
