//! Headers in the form OpenTelemetry's variables have: `name=value,name=value`.

use secrecy::SecretString;

/// Headers that are not an operator's to set.
const OURS: [&str; 6] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
];

/// The headers of a text; values are percent-decoded.
///
/// # Errors
///
/// What is wrong, without any of the text.
pub fn collector_headers(text: &str) -> Result<Vec<(String, SecretString)>, &'static str> {
    let items = text.split(',').map(str::trim);
    let items = items.filter(|item| !item.is_empty());
    items.map(header).collect()
}

fn header(item: &str) -> Result<(String, SecretString), &'static str> {
    let (name, value) = item.split_once('=').ok_or("a header has no `=`")?;
    let name = name.trim().to_ascii_lowercase();
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err("a header's name is none");
    }
    if OURS.contains(&name.as_str()) {
        return Err("a header is one that Hallpass sets itself");
    }
    let value = decoded(value.trim()).ok_or("a header's value is not percent-encoded right")?;
    let is_shown = |c: char| c.is_ascii_graphic() || c == ' ';
    if !value.chars().all(is_shown) {
        return Err("a header's value holds a character no header has");
    }
    Ok((name, SecretString::from(value)))
}

/// A text without its percent-encoding.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn headers_are_read_as_vendors_print_them() {
        let text = "Authorization=Basic%20dXNlcjpwYXNz, x-honeycomb-team=a=b%2Cc ,";
        let read = collector_headers(text).unwrap();
        let shown: Vec<_> = read
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        assert_eq!(
            shown,
            [
                ("authorization", "Basic dXNlcjpwYXNz"),
                ("x-honeycomb-team", "a=b,c")
            ]
        );
    }

    #[test]
    fn what_is_no_header_is_refused_and_not_shown() {
        for text in [
            "no-sign",
            "=value",
            "na me=value",
            "host=a",
            "a=%0d%0ab: c",
            "a=%",
            "a=%2",
            "a=%+1",
            "a=%ff",
        ] {
            let error = collector_headers(text).unwrap_err();
            assert!(!error.contains(text), "{text}: {error}");
        }
        assert!(collector_headers("").unwrap().is_empty());
    }
}
