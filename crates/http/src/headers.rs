//! Headers every answer carries.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::facts::DOCS;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Forbids everything to an answer that is no page.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Lets the interactive document be one: its own scripts and styles, the
/// styles it writes itself, and its icons.
const INTERACTIVE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Adds what keeps browsers and caches from doing more than they should.
pub(crate) fn harden(headers: &mut HeaderMap, route: &str, https: bool) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // A page with forms says otherwise: without a referrer their origin is
    // "null", and proves nothing.
    headers
        .entry(header::REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(if route == DOCS { INTERACTIVE } else { NO_PAGE });
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    }
    if https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_interactive_document_may_run_anything() {
        let policy = |route| {
            let mut headers = HeaderMap::new();
            harden(&mut headers, route, false);
            headers[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert!(policy(DOCS).contains("script-src 'self';"));
        assert!(!policy("/docs/errors").contains("script-src"));
        assert!(!policy("/api/generate-client-secret").contains("script-src"));
    }
}
