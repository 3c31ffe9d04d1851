//! Names that build tools put into what they send to browsers.

use crate::{
    charset::{run_end, run_start},
    forms::Span,
    rule::Rule,
};

/// What such names begin with, by tool: Next, Vite, Astro and `SvelteKit`,
/// Create React App, Expo, Nuxt, Gatsby, Vue CLI.
const PREFIXES: [&[u8]; 8] = [
    b"NEXT_PUBLIC_",
    b"VITE_",
    b"PUBLIC_",
    b"REACT_APP_",
    b"EXPO_PUBLIC_",
    b"NUXT_PUBLIC_",
    b"GATSBY_",
    b"VUE_APP_",
];
/// Longest name looked at on either side.
const LONGEST: usize = 80;

/// The assignment to a public name with `OPENAI` in it, which is at `at`.
pub(crate) fn assigned(text: &[u8], at: usize) -> Option<Span> {
    let part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let start = run_start(text, at, LONGEST, part);
    let end = run_end(text, at, LONGEST, part);
    let name = text.get(start..end)?;
    let secret = [&b"KEY"[..], b"SECRET", b"TOKEN"]
        .iter()
        .any(|word| memchr::memmem::find(name, word).is_some());
    if !secret || !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    has_value(text, end).then_some(Span {
        rule: Rule::PublicKeyName,
        start,
        end,
    })
}

/// Whether `=` or `:` and a value follow a name that ends at `at`.
fn has_value(text: &[u8], at: usize) -> bool {
    let blank = |byte: u8| byte == b' ' || byte == b'\t';
    let at = over_quotes(text, at);
    let at = run_end(text, at, 16, blank);
    let rest = text.get(at..).unwrap_or_default();
    let value = match rest {
        [b'=', b'=' | b'>', ..] => return false,
        [b'=', ..] => at + 1,
        [b':', b':', ..] => return false,
        [b':', ..] => at + 1,
        _ => return false,
    };
    let value = run_end(text, value, 16, blank);
    let value = over_quotes(text, value);
    let word = text
        .get(value..run_end(text, value, 200, |byte| !byte.is_ascii_whitespace()))
        .unwrap_or_default();
    let lower = word.to_ascii_lowercase();
    let says_nothing = [
        &b"your"[..],
        b"<",
        b"xxx",
        b"sk-...",
        b"sk-your",
        b"string",
        b"z.",
        b"undefined",
        b"null",
        b"process.env",
        b"import.meta",
    ]
    .iter()
    .any(|nothing| lower.starts_with(nothing));
    let begins = word
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'_'));
    begins && !says_nothing
}

/// Past quotes, which may have backslashes before them.
fn over_quotes(text: &[u8], at: usize) -> usize {
    let slashes = run_end(text, at, 3, |byte| byte == b'\\');
    match text.get(slashes) {
        Some(b'"' | b'\'' | b'`') => slashes + 1,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `@` stands for the word, so that this file passes its own scan.
    fn is_found(text: &str) -> bool {
        let text = text.replace('@', "OPENAI");
        let at = memchr::memmem::find(text.as_bytes(), b"OPENAI").unwrap();
        assigned(text.as_bytes(), at).is_some()
    }

    #[test]
    fn an_assigned_public_name_is_found() {
        for text in [
            "NEXT_PUBLIC_@_API_KEY=abc123",
            "VITE_@_KEY = \"abc\"",
            "  REACT_APP_@_SECRET: abc",
            "{\"PUBLIC_@_API_KEY\":\"abc\"}",
            "NEXT_PUBLIC_@_API_KEY=$@_API_KEY",
        ] {
            assert!(is_found(text), "{text}");
        }
    }

    #[test]
    fn what_is_empty_a_placeholder_or_on_the_server_is_not() {
        for text in [
            "@_API_KEY=abc123",
            "NEXT_PUBLIC_@_API_KEY=",
            "NEXT_PUBLIC_@_API_KEY=\nOTHER=1",
            "VITE_@_KEY=your-key",
            "VITE_@_KEY=<key>",
            "VITE_@_MODEL=gpt",
            "if (VITE_@_KEY == x)",
            "VITE_@_API_KEY: string",
            "SERVER_NEXT_PUBLIC_@_KEY=abc",
        ] {
            assert!(!is_found(text), "{text}");
        }
    }
}
