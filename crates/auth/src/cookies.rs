//! The `Cookie` header, read without guessing.

/// The largest accepted header, in bytes.
pub const MAX_COOKIE_BYTES: usize = 64 * 1024;

/// Why a `Cookie` header can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// It is larger than [`MAX_COOKIE_BYTES`].
    #[error("the Cookie header is larger than 64 KiB")]
    TooLarge,
    /// It is not UTF-8, or has a control character.
    #[error("the Cookie header is not text")]
    NotText,
}

/// Splits the header into names and values, in the order sent.
///
/// Values are as they stand: neither percent-decoded nor unquoted. A piece
/// without `=` or without a name is no cookie and is left out.
///
/// # Errors
///
/// [`CookieError`] when the header is too large or is no text.
pub fn parse(header: &[u8]) -> Result<Vec<(&str, &str)>, CookieError> {
    if header.len() > MAX_COOKIE_BYTES {
        return Err(CookieError::TooLarge);
    }
    let text = std::str::from_utf8(header).map_err(|_| CookieError::NotText)?;
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(CookieError::NotText);
    }
    Ok(text.split(';').filter_map(pair).collect())
}

fn pair(piece: &str) -> Option<(&str, &str)> {
    let (name, value) = piece.split_once('=')?;
    let blank = [' ', '\t'];
    let name = name.trim_matches(blank);
    (!name.is_empty()).then(|| (name, value.trim_matches(blank)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_stay_as_they_were_sent() {
        assert_eq!(
            parse(b"a=1; b=\"x y\";c= d=e ;; =f; g; a=2"),
            Ok(vec![("a", "1"), ("b", "\"x y\""), ("c", "d=e"), ("a", "2")])
        );
        assert_eq!(parse(b""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for header in [&b"a=\xff"[..], b"a=1\r\nb: 2", b"a=\0", b"\x1b[0m"] {
            assert_eq!(parse(header), Err(CookieError::NotText));
        }
        let long = vec![b'a'; MAX_COOKIE_BYTES + 1];
        assert_eq!(parse(&long), Err(CookieError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_was_written_is_read(pairs in prop::collection::vec(("[A-Za-z0-9._-]{1,20}", "[A-Za-z0-9._=%-]{0,40}"), 0..8)) {
            let header = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let read = parse(header.as_bytes()).unwrap();
            let owned: Vec<_> = read.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(owned, pairs);
        }
    }
}
