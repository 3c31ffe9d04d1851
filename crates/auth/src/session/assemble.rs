//! One session out of one cookie or several chunks.

use std::borrow::Cow;

use crate::{Reason, cookies::MAX_COOKIE_BYTES};

/// Finds the session: the chunks `name.0` to `name.N`, or else the cookie
/// itself. They are never joined with each other; other cookies that begin
/// with the name are not looked at.
pub(super) fn assemble<'c>(
    cookies: &[(&'c str, &'c str)],
    name: &str,
) -> Result<Option<Cow<'c, str>>, Reason> {
    let mut whole = None;
    let mut chunks = Vec::new();
    for (sent, value) in cookies {
        let Some(rest) = sent.strip_prefix(name) else {
            continue;
        };
        if rest.is_empty() {
            if whole.replace(*value).is_some() {
                return Err(Reason::CookieDuplicate);
            }
        } else if let Some(number) = chunk_number(rest)? {
            chunks.push((number, *value));
        }
    }
    if !chunks.is_empty() {
        return join(chunks).map(|session| Some(Cow::Owned(session)));
    }
    match whole {
        Some(value) if value.len() > MAX_COOKIE_BYTES => Err(Reason::CookieTooLarge),
        // Apps empty the cookie to sign out.
        Some("") | None => Ok(None),
        Some(value) => Ok(Some(Cow::Borrowed(value))),
    }
}

/// The number of a chunk; none for a cookie that is not one.
fn chunk_number(rest: &str) -> Result<Option<usize>, Reason> {
    let Some(digits) = rest.strip_prefix('.') else {
        return Ok(None);
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err(Reason::CookieChunkInvalid);
    }
    let number = digits.parse().map_err(|_| Reason::CookieChunkInvalid)?;
    Ok(Some(number))
}

fn join(mut chunks: Vec<(usize, &str)>) -> Result<String, Reason> {
    if chunks.iter().map(|(_, value)| value.len()).sum::<usize>() > MAX_COOKIE_BYTES {
        return Err(Reason::CookieTooLarge);
    }
    chunks.sort_by_key(|(number, _)| *number);
    if chunks.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Reason::CookieDuplicate);
    }
    if chunks
        .iter()
        .enumerate()
        .any(|(place, (number, _))| place != *number)
    {
        return Err(Reason::CookieChunkMissing);
    }
    Ok(chunks.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(cookies: &[(&str, &str)]) -> Result<Option<String>, Reason> {
        assemble(cookies, "s").map(|session| session.map(Cow::into_owned))
    }

    #[test]
    fn chunks_are_joined_by_number() {
        let mut cookies: Vec<(String, String)> = (0..12)
            .map(|n| (format!("s.{n}"), format!("<{n}>")))
            .collect();
        cookies.reverse();
        let borrowed: Vec<_> = cookies
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let joined: String = (0..12).map(|n| format!("<{n}>")).collect();
        assert_eq!(read(&borrowed), Ok(Some(joined)));
    }

    #[test]
    fn only_the_cookies_own_names_count() {
        let others = [
            ("s-old", "x"),
            ("s.", "x"),
            ("s.a", "x"),
            ("S", "x"),
            ("s.0x", "x"),
        ];
        assert_eq!(read(&others), Ok(None));
        assert_eq!(read(&[("s", "")]), Ok(None));
        assert_eq!(read(&[("s-old", "x"), ("s", "a")]), Ok(Some("a".into())));
        assert_eq!(
            read(&[("s", "stale"), ("s.0", "a"), ("s.1", "b")]),
            Ok(Some("ab".into()))
        );
    }

    #[test]
    fn what_is_incomplete_or_ambiguous_is_refused() {
        let cases = [
            (vec![("s.1", "b")], Reason::CookieChunkMissing),
            (vec![("s.0", "a"), ("s.2", "c")], Reason::CookieChunkMissing),
            (vec![("s.00", "a")], Reason::CookieChunkInvalid),
            (
                vec![("s.99999999999999999999", "a")],
                Reason::CookieChunkInvalid,
            ),
            (vec![("s.0", "a"), ("s.0", "b")], Reason::CookieDuplicate),
            (vec![("s", "a"), ("s", "b")], Reason::CookieDuplicate),
        ];
        for (cookies, reason) in cases {
            assert_eq!(read(&cookies), Err(reason), "{cookies:?}");
        }
        let long = "x".repeat(40_000);
        assert_eq!(
            read(&[("s.0", &long), ("s.1", &long)]),
            Err(Reason::CookieTooLarge)
        );
    }

    proptest! {
        #[test]
        fn no_names_panic(names in prop::collection::vec("s?\\.?[0-9a]{0,22}", 0..8)) {
            let cookies: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
            let _ = read(&cookies);
        }
    }
}
