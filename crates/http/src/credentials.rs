//! What a request presents, read from its headers.

use std::{borrow::Cow, net::IpAddr};

use hallpass_auth::cookies;
use hallpass_core::caller::Presented;
use http::{HeaderMap, header};

/// Which listener a request came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// The one that browsers reach.
    Public,
    /// The operators' own. No page calls it: a browser's cookies prove nothing
    /// there, and no other origin may read its answers.
    Admin,
}

/// Gathers a request's credentials without judging them.
///
/// Cookies are taken only where a request is known to be of the public surface.
pub(crate) fn presented(
    headers: &HeaderMap,
    address: Option<IpAddr>,
    surface: Option<Surface>,
) -> Presented<'_> {
    let cookies = match surface {
        Some(Surface::Public) => cookies(headers),
        Some(Surface::Admin) | None => Vec::new(),
    };
    Presented {
        authorization: authorization(headers),
        cookies,
        address,
        proven: None,
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
