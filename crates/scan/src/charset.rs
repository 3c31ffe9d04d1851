//! The characters that keys are made of, and where a key may begin.

/// Whether a byte may stand in an OpenAI key.
pub(crate) const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The end of the run of accepted bytes that begins at `from`, looking at no
/// more than `most` of them.
pub(crate) fn run_end(
    text: &[u8],
    from: usize,
    most: usize,
    accepts: impl Fn(u8) -> bool,
) -> usize {
    let last = text.len().min(from.saturating_add(most));
    let run = text.get(from..last).unwrap_or_default();
    from + run.iter().take_while(|byte| accepts(**byte)).count()
}

/// The start of the run of accepted bytes that ends before `to`.
pub(crate) fn run_start(
    text: &[u8],
    to: usize,
    most: usize,
    accepts: impl Fn(u8) -> bool,
) -> usize {
    let first = to.saturating_sub(most);
    let run = text.get(first..to).unwrap_or_default();
    to - run.iter().rev().take_while(|byte| accepts(**byte)).count()
}

/// Whether a token may begin at `at`: no letter or digit stands before it, but
/// for the last character of an escape such as `\n`, `%3D` or `\u003d`.
pub(crate) fn begins_token(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(6)..at).unwrap_or_default();
    match before.last() {
        None => true,
        Some(byte) if !byte.is_ascii_alphanumeric() => true,
        Some(_) => ends_escape(before),
    }
}

/// Whether a token may begin at `at` and is no part of a longer identifier.
pub(crate) fn begins_identifier(text: &[u8], at: usize) -> bool {
    let joined = at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'_');
    !joined && begins_token(text, at)
}

fn ends_escape(before: &[u8]) -> bool {
    let hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let octal = |digits: &[u8]| digits.iter().all(|byte| (b'0'..=b'7').contains(byte));
    match before {
        [.., b'\\', b'n' | b't' | b'r' | b'f' | b'b' | b'v' | b'0'] => true,
        [.., b'%', b'2', b'5', a, b] => hexadecimal(&[*a, *b]),
        [.., b'\\', a, b, c] if octal(&[*a, *b, *c]) => true,
        [.., b'%', a, b] | [.., b'\\', b'x', a, b] => hexadecimal(&[*a, *b]),
        [.., b'\\', b'u', a, b, c, d] => hexadecimal(&[*a, *b, *c, *d]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_no_part_of_the_word_after_them() {
        for (text, expected) in [
            ("sk-", true),
            (" sk-", true),
            ("\\nsk-", true),
            ("%3Dsk-", true),
            ("\\x3dsk-", true),
            ("\\u003dsk-", true),
            ("%2522sk-", true),
            ("\\042sk-", true),
            ("disk-", false),
            ("nsk-", false),
            ("zz3Dsk-", false),
        ] {
            assert_eq!(
                begins_token(text.as_bytes(), text.len() - 3),
                expected,
                "{text}"
            );
        }
        assert!(!begins_identifier(b"_ek_", 1));
        assert!(begins_identifier(b".ek_", 1));
    }
}
