//! Pages of other origins: who may read answers, and whose cookies count.

use axum::body::Body;
use hallpass_core::{caller::Scheme, code::Code, refusal::Refusal};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

/// Headers a page may send.
const ALLOWED_HEADERS: &str = "authorization, content-type, idempotency-key, openai-organization, \
     openai-project, traceparent, tracestate, x-openai-agents-sdk, x-request-id, x-stainless-arch, x-stainless-lang, \
     x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, \
     x-stainless-runtime-version, x-stainless-timeout";
/// Headers a page may read.
const EXPOSED_HEADERS: &str =
    "location, ratelimit, ratelimit-policy, retry-after, x-request-id, x-should-retry";
/// Methods a page may use.
const ALLOWED_METHODS: &str = "GET, POST";
/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// The origins whose pages may call from a browser.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// Other origins, exactly as browsers send them.
    listed: Vec<HeaderValue>,
    /// Our own.
    own: Vec<HeaderValue>,
}

/// A text is no origin.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not an origin; write scheme, host and port: https://app.example.com")]
pub struct OriginsError(String);

impl Origins {
    /// Takes the origins of the configuration and those this server is reached at.
    ///
    /// # Errors
    ///
    /// [`OriginsError`] names the first that is none.
    pub fn new<'a>(
        listed: impl IntoIterator<Item = &'a str>,
        own: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OriginsError> {
        let read =
            |text: &str| HeaderValue::from_str(text).map_err(|_| OriginsError(text.to_owned()));
        Ok(Self {
            listed: listed.into_iter().map(read).collect::<Result<_, _>>()?,
            own: own.into_iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// The request's origin, if its page may read the answer.
    fn listed(&self, origin: Option<&HeaderValue>) -> Option<&HeaderValue> {
        let origin = origin?;
        self.listed.iter().find(|listed| *listed == origin)
    }

    /// Whether pages of an origin may call.
    pub(crate) fn trusts(&self, origin: &HeaderValue) -> bool {
        self.listed.contains(origin) || self.own.contains(origin)
    }

    /// The answer to a browser's question before the real request, before any
    /// credential is looked at; none where it is no such question.
    pub(crate) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let (method, headers) = (request.method(), request.headers());
        let asks = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        (method == Method::OPTIONS && asks).then(|| self.allowance(headers))
    }

    /// What a page may send.
    fn allowance(&self, headers: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(
            header::VARY,
            HeaderValue::from_static(
                "origin, access-control-request-method, access-control-request-headers",
            ),
        );
        if let Some(origin) = self.listed(headers.get(header::ORIGIN)) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(ALLOWED_METHODS),
            );
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(ALLOWED_HEADERS),
            );
            answer.insert(
                header::ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(PREFLIGHT_AGE),
            );
        }
        response
    }

    /// Lets a listed page read an answer.
    pub(crate) fn expose(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        answer.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.listed(origin) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            answer.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED_HEADERS),
            );
        }
    }

    /// Refuses a request whose browser added the cookie on another site's behalf.
    ///
    /// A credential the page itself had to add can't be forged this way.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with [`Code::CrossSiteRequest`].
    pub(crate) fn defend(
        &self,
        scheme: Scheme,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if scheme != Scheme::SessionCookie || method.is_safe() {
            return Ok(());
        }
        if let Some(origin) = headers.get(header::ORIGIN)
            && self.trusts(origin)
        {
            return Ok(());
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            Some(b"same-origin") => Ok(()),
            _ => Err(Refusal::new(
                Code::CrossSiteRequest,
                "A session cookie counts only for requests from the app's own pages. This request's Origin is not one of them, or the browser sent none.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::new(["https://app.example.com"], ["https://voice.example.com"]).unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn no_origin_but_the_listed_one_may_read() {
        for hostile in [
            "https://app.example.com.evil.test",
            "https://evil.test/https://app.example.com",
            "https://app.example.com:444",
            "http://app.example.com",
            "https://APP.example.com",
            "https://user@app.example.com",
            "null",
            "*",
            "",
        ] {
            let mut answer = HeaderMap::new();
            origins().expose(Some(&HeaderValue::from_static(hostile)), &mut answer);
            assert!(
                !answer.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                "{hostile}"
            );
            assert_eq!(answer[header::VARY], "origin");
            let preflight = origins().allowance(&headers(&[("origin", hostile)]));
            assert!(
                !preflight
                    .headers()
                    .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            );
        }
        let mut answer = HeaderMap::new();
        let listed = HeaderValue::from_static("https://app.example.com");
        origins().expose(Some(&listed), &mut answer);
        assert_eq!(
            answer[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://app.example.com"
        );
    }

    #[test]
    fn a_cookie_counts_only_from_the_apps_own_pages() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (
                &[
                    ("origin", "https://app.example.com"),
                    ("sec-fetch-site", "cross-site"),
                ],
                true,
            ),
            (&[("origin", "https://voice.example.com")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (
                &[
                    ("origin", "https://evil.test"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://evil.test")], false),
            (&[], false),
        ];
        for (pairs, allowed) in cases {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| {
                    (
                        name.parse::<http::HeaderName>().unwrap(),
                        value.parse().unwrap(),
                    )
                })
                .collect();
            let verdict = origins().defend(Scheme::SessionCookie, &Method::POST, &headers);
            assert_eq!(verdict.is_ok(), allowed, "{pairs:?}");
            assert!(
                origins()
                    .defend(Scheme::Jwt, &Method::POST, &headers)
                    .is_ok()
            );
            assert!(
                origins()
                    .defend(Scheme::SessionCookie, &Method::GET, &headers)
                    .is_ok()
            );
        }
    }
}
