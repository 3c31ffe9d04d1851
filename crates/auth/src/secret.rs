//! Which shared secrets must not be used.

/// Fewest characters of a shared secret.
const MIN_CHARS: usize = 32;
/// Texts that guides and templates put where a secret should be.
const PLACEHOLDERS: [&str; 16] = [
    "abcdefghijklmnopqrstuvwxyz",
    "changeme",
    "changethis",
    "default",
    "development",
    "example",
    "generatedsecret",
    "insertsecret",
    "mysecret",
    "nextauthsecret",
    "password",
    "placeholder",
    "replaceme",
    "supersecret",
    "yoursecret",
    "your256bitsecret",
];

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

/// Compares letters and digits alone, so that `your-secret` and `YOUR_SECRET`
/// are one; what follows the placeholder may pad it but not hide it.
fn is_well_known(secret: &str) -> bool {
    let plain: String = secret
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let rest = |known: &str| plain.strip_prefix(known).map(str::len);
    let padded = PLACEHOLDERS
        .iter()
        .any(|known| rest(known).is_some_and(|left| left <= known.len()));
    padded || is_one_character(secret)
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
        ] {
            assert_eq!(weakness(secret), Some(Weakness::WellKnown), "{secret}");
        }
    }

    #[test]
    fn white_space_and_shortness_are_told_apart() {
        let good = "kS8qv2N0xJ7dT4mZ1bR6yW3cL9fH5gPu";
        assert_eq!(weakness(good), None);
        assert_eq!(weakness(&format!("{good}\n")), Some(Weakness::WhiteSpace));
        assert_eq!(weakness(&good[1..]), Some(Weakness::Short));
    }
}
