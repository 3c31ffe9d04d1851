//! Secrets that protect nothing.

use secrecy::{ExposeSecret, SecretString};

use super::Findings;
use crate::hidden::MASK;
use crate::load::Scope;

/// Fewer characters than this can be guessed offline.
const MIN_CHARACTERS: usize = 32;

/// Texts that stand in documentation and templates; compared in lower case,
/// with letters and digits alone.
const PLACEHOLDERS: [&str; 25] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "placeholder",
    "yoursecret",
    "yourjwtsecret",
    "yournextauthsecret",
    "yoursupersecret",
    "yourapikey",
    "mysecret",
    "supersecret",
    "verysecret",
    "topsecret",
    "secretkeyhere",
    "insertsecret",
    "generateasecret",
    "donotusein",
    "defaultsecret",
    "opensslrandbase64",
    "your256bitsecret",
    "astringsecretatleast",
    "keyboardcat",
    "examplesecret",
    "thisisanexample",
];

/// Sequences people type when a length is asked for.
const SEQUENCES: [&str; 4] = [
    "0123456789",
    "1234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789abcdef",
];

/// Reports a weak secret: a problem for a deployment, a warning for a test of credentials.
pub(super) fn check(secret: &SecretString, path: &str, scope: Scope, findings: &mut Findings<'_>) {
    let Some((what, remedy)) = weakness(secret.expose_secret()) else {
        return;
    };
    match scope {
        Scope::All => findings.refuse(path, what, remedy),
        Scope::AuthOnly => findings.warn(path, what, remedy),
    }
}

fn weakness(secret: &str) -> Option<(&'static str, &'static str)> {
    if secret.ends_with(char::is_whitespace) {
        return Some((
            "the secret ends in whitespace",
            "Remove it; `printf %s` writes a file without a newline",
        ));
    }
    if secret.starts_with(char::is_whitespace) {
        return Some(("the secret begins with whitespace", "Remove it"));
    }
    if is_placeholder(secret) {
        return Some((
            "the secret is a well-known placeholder",
            "Make one with `openssl rand -base64 48`",
        ));
    }
    if secret.chars().count() < MIN_CHARACTERS {
        return Some((
            "the secret has fewer than 32 characters",
            "Make one with `openssl rand -base64 48`",
        ));
    }
    None
}

/// Whether a text is one that everybody knows.
pub(crate) fn is_placeholder(secret: &str) -> bool {
    let letters: String = secret
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let is_printed = secret.contains(MASK);
    let names_itself = PLACEHOLDERS.iter().any(|known| letters.contains(known));
    is_printed
        || names_itself
        || is_repetition(&letters)
        || matches!(letters.as_str(), "secret" | "password" | "test" | "dev")
}

/// Whether a text is one short piece, or a typed sequence, over and over.
fn is_repetition(letters: &str) -> bool {
    const LONGEST_PIECE: usize = 8;
    let pieces = (1..=LONGEST_PIECE).filter_map(|end| letters.get(..end));
    let mut repeated = pieces
        .chain(SEQUENCES)
        .filter(|piece| piece.len() < letters.len() || SEQUENCES.contains(piece));
    repeated.any(|piece| is_made_of(letters, piece))
}

fn is_made_of(text: &str, piece: &str) -> bool {
    !text.is_empty() && text.chars().zip(piece.chars().cycle()).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: &str = concat!("kT9vQ2mZx7Lr4Wb8", "Ys1Nc6Hd3Jf5Gp0R");

    #[test]
    fn a_placeholder_is_known_in_any_dress() {
        for known in [
            "change-me",
            "CHANGE_ME_TO_SOMETHING_LONG_AND_RANDOM",
            "your-secret-here-your-secret-here-your",
            "your_nextauth_secret_goes_right_here_please",
            "supersecretsupersecretsupersecret",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabcabcabcabcabcabcabc",
            "01234567890123456789012345678901",
            "0123456789abcdef0123456789abcdef",
            "secret",
        ] {
            assert!(is_placeholder(known), "{known}");
        }
    }

    #[test]
    fn a_random_secret_is_no_placeholder() {
        for random in [
            "kT9vQ2mZx7Lr4Wb8Ys1Nc6Hd3Jf5Gp0R",
            "q1T0l4QmU2x5V3JvbmdTZWNyZXRGb3I=",
        ] {
            assert!(!is_placeholder(random), "{random}");
        }
    }

    #[test]
    fn whitespace_at_an_end_and_shortness_are_weak() {
        assert_eq!(weakness(STRONG), None);
        assert!(weakness(&format!("{STRONG}\n")).is_some());
        assert!(weakness(&format!(" {STRONG}")).is_some());
        assert!(weakness(&STRONG[1..]).is_some());
    }
}
