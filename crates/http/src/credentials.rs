//! What a request presents, read from its headers.

use std::{borrow::Cow, net::IpAddr};

use hallpass_auth::cookies;
use hallpass_core::caller::Presented;
use http::{HeaderMap, header};

/// Gathers a request's credentials without judging them.
pub(crate) fn presented(headers: &HeaderMap, address: Option<IpAddr>) -> Presented<'_> {
    Presented {
        authorization: authorization(headers),
        cookies: cookies(headers),
        address,
    }
}

/// `Authorization`; two of them are joined, which no scheme accepts.
fn authorization(headers: &HeaderMap) -> Option<Cow<'_, [u8]>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next()?.as_bytes();
    let mut joined = Cow::Borrowed(first);
    for value in values {
        joined.to_mut().extend_from_slice(b", ");
        joined.to_mut().extend_from_slice(value.as_bytes());
    }
    Some(joined)
}

/// All cookies; a header that can't be read holds none.
fn cookies(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| cookies::parse(value.as_bytes()).ok())
        .flatten()
        .collect()
}
