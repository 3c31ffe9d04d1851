//! Whether a text looks like chance or like something a person wrote.

/// Below this many bits a character, even a text with OpenAI's marker is a
/// placeholder such as `xxxxxxxx`.
pub(crate) const MARKED_ENTROPY: f64 = 3.0;
/// What a text without the marker must reach.
const UNMARKED_ENTROPY: f64 = 3.5;
/// What 32 hexadecimal digits must reach; chance gives about 3.6.
pub(crate) const HEX_ENTROPY: f64 = 2.6;
/// Share of neighbours of different classes (lower, upper, digit, other):
/// chance gives 0.64, words written together up to 0.4.
const CLASS_CHANGES: f64 = 0.45;

/// Found anywhere in a text, whatever its case.
const PLACEHOLDERS: [&str; 13] = [
    "placeholder",
    "redacted",
    "changeme",
    "example",
    "replace",
    "yourkey",
    "apikey",
    "api-key",
    "api_key",
    "0123456789",
    "1234567890",
    "abcdefgh",
    "xxxxxx",
];
/// Found as a whole word between `-` and `_`.
const PLACEHOLDER_WORDS: [&str; 12] = [
    "your", "key", "here", "fake", "dummy", "test", "insert", "secret", "token", "sample", "todo",
    "demo",
];

/// Shannon's entropy, in bits a byte.
pub(crate) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let length = text.len() as f64;
    let share = |count: u32| f64::from(count) / length;
    let used = counts.into_iter().filter(|count| *count > 0);
    used.map(|count| -share(count) * share(count).log2()).sum()
}

/// Whether a key's body without OpenAI's marker can be taken for a real one.
pub(crate) fn looks_random(body: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| body.iter().any(class);
    has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
        && entropy(body) >= UNMARKED_ENTROPY
        && class_changes(body) >= CLASS_CHANGES
        && !is_placeholder(body)
}

/// Whether a text says that a key belongs in its place.
pub(crate) fn is_placeholder(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| text.contains(word))
        || text
            .split(['-', '_'])
            .any(|part| PLACEHOLDER_WORDS.contains(&part))
}

fn class_changes(body: &[u8]) -> f64 {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let pairs = body.len().saturating_sub(1).max(1);
    let changes = body
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]));
    changes.count() as f64 / pairs as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_passes_and_words_do_not() {
        assert!(looks_random(b"q8Zt-3mWv_K2pXb9LrD5sHnYc7FgJ0aEuT6oVi4R"));
        assert!(!looks_random(
            b"panelHeader2WithAVeryLongCamelCaseNameOfAComponent"
        ));
        assert!(!looks_random(
            b"your-q8Zt3mWvK2pXb9LrD5sHnYc7FgJ0aEuT6oVi4R"
        ));
        assert!(!looks_random(
            b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        ));
    }

    #[test]
    fn entropy_counts_bits() {
        assert!(entropy(b"aaaa").abs() < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
    }
}
