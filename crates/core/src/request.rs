//! The facts of a request that audit and log need.

use std::net::IpAddr;

use crate::ids::RequestId;

/// Longest user agent kept, in bytes.
pub const MAX_USER_AGENT: usize = 256;

/// Where a request came from and what it asked for.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// The id the request carries everywhere.
    pub id: RequestId,
    /// HTTP method.
    pub method: &'static str,
    /// The matched route: `/api/generate-client-secret`.
    pub route: &'static str,
    /// The caller's address, behind trusted proxies their forwarded one.
    pub address: Option<IpAddr>,
    /// The user agent, cut to [`MAX_USER_AGENT`] bytes and cleaned of controls.
    pub user_agent: Option<String>,
    /// The page's origin, as sent by a browser.
    pub origin: Option<String>,
}

/// Cuts a header's text for keeping: no control characters, at most `max` bytes.
#[must_use]
pub fn clean(text: &str, max: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(max));
    for character in text.chars().filter(|c| !c.is_control()) {
        if kept.len() + character.len_utf8() > max {
            break;
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_drops_controls_and_cuts_between_characters() {
        assert_eq!(clean("a\r\nb\u{1b}[31m", 10), "ab[31m");
        assert_eq!(clean("€€€", 7), "€€");
    }
}
