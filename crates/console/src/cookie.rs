//! The cookie that holds a session.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

/// Over TLS: no other host, path or scheme can set or read it.
const SECURE: &str = "__Host-hallpass-console";
/// Over plain HTTP on this machine, where browsers take no `__Host-`.
const PLAIN: &str = "hallpass-console";
/// The value of a cookie that is to go.
const GONE: &str = "";

/// A session's cookie, as a browser sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Its value.
    pub(crate) token: String,
    /// Whether it is the one of TLS.
    pub(crate) secure: bool,
}

/// The cookie a request carries; none where it is there twice.
pub(crate) fn read(headers: &HeaderMap) -> Option<Sent> {
    let of = |name: &str| {
        let mut found = pairs(headers).filter(|(known, _)| *known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then(|| value.to_owned())
    };
    let sent = |secure| move |token| Sent { token, secure };
    of(SECURE)
        .map(sent(true))
        .or_else(|| of(PLAIN).map(sent(false)))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(header::COOKIE).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// Gives a browser its cookie.
pub(crate) fn give(token: &str, secure: bool, lasts: Duration) -> Option<HeaderValue> {
    write(token, secure, lasts.as_secs())
}

/// Takes a browser's cookie away.
pub(crate) fn take(secure: bool) -> Option<HeaderValue> {
    write(GONE, secure, 0)
}

fn write(token: &str, secure: bool, seconds: u64) -> Option<HeaderValue> {
    let (name, place) = match secure {
        true => (SECURE, "Path=/; Secure"),
        false => (PLAIN, "Path=/console"),
    };
    let text = format!("{name}={token}; {place}; HttpOnly; SameSite=Strict; Max-Age={seconds}");
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let value = HeaderValue::from_str(cookie).unwrap();
        [(header::COOKIE, value)].into_iter().collect()
    }

    #[test]
    fn it_is_found_among_others_and_not_where_it_is_ambiguous() {
        let sent = |token: &str, secure| {
            Some(Sent {
                token: token.to_owned(),
                secure,
            })
        };
        let cases = [
            ("a=b; hallpass-console=t; c=d", sent("t", false)),
            (
                "__Host-hallpass-console=s; hallpass-console=t",
                sent("s", true),
            ),
            ("hallpass-console=t; hallpass-console=u", None),
            ("xhallpass-console=t", None),
            ("", None),
        ];
        for (cookie, expected) in cases {
            assert_eq!(read(&headers(cookie)), expected, "{cookie}");
        }
    }

    #[test]
    fn its_flags_keep_scripts_and_other_sites_off() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            text(give("t", true, Duration::from_secs(60))),
            "__Host-hallpass-console=t; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=60"
        );
        assert_eq!(
            text(give("t", false, Duration::from_secs(60))),
            "hallpass-console=t; Path=/console; HttpOnly; SameSite=Strict; Max-Age=60"
        );
        assert!(text(take(false)).contains("Max-Age=0"));
    }
}
