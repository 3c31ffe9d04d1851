//! Whether a form was sent by a page of this console, and over what.

use http::{HeaderMap, HeaderValue, Uri, header};
use url::{Host, Url};

/// Why a request counts as another site's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// The browser says that another site sent it.
    Site,
    /// It does not say which origin sent it.
    NoOrigin,
    /// The origin is not this host.
    Host,
}

impl Foreign {
    /// What the operator is told.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Site => {
                "This form was sent by a page of another site. Nothing was done. Open the console and do it there."
            }
            Self::NoOrigin => {
                "The browser did not say which page sent this form, so it can't be told from a forgery. Nothing was done."
            }
            Self::Host => {
                "The form's origin is not the host it was sent to. Nothing was done. A proxy in front of the admin listener must pass the Host header on unchanged."
            }
        }
    }
}

/// The origin of a form of this console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    /// Whether the browser speaks TLS, with us or with a proxy in front.
    pub(crate) secure: bool,
    /// Whether the browser is on this machine, or at the end of a tunnel.
    pub(crate) loopback: bool,
}

/// Checks that a page of this very host sent a request that changes something.
pub(crate) fn own(headers: &HeaderMap, uri: &Uri) -> Result<Own, Foreign> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin") {
        return Err(Foreign::Site);
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (first, more) = (origins.next(), origins.next());
    let origin = first.filter(|_| more.is_none()).ok_or(Foreign::NoOrigin)?;
    let text = origin.to_str().map_err(|_| Foreign::Host)?;
    let origin = Url::parse(text).map_err(|_| Foreign::Host)?;
    let secure = match origin.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(Foreign::Host),
    };
    // As a URL of the same scheme, so that a default port makes no difference.
    let host = host(headers, uri).ok_or(Foreign::Host)?;
    let here = Url::parse(&format!("{}://{host}", origin.scheme())).map_err(|_| Foreign::Host)?;
    if here.origin() != origin.origin() {
        return Err(Foreign::Host);
    }
    let loopback = origin.host().is_some_and(|host| is_loopback(&host));
    Ok(Own { secure, loopback })
}

fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| headers.get(header::HOST)?.to_str().ok())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    /// Headers, and what is said of them.
    type Case<'a> = (&'a [(&'a str, &'a str)], Result<Own, Foreign>);

    fn verdict(pairs: &[(&str, &str)]) -> Result<Own, Foreign> {
        let headers = pairs.iter().map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        own(&headers.collect(), &Uri::from_static("/console/sign-in"))
    }

    #[test]
    fn only_a_page_of_this_host_may_send_a_form() {
        let plain = Ok(Own {
            secure: false,
            loopback: true,
        });
        let proxied = Ok(Own {
            secure: true,
            loopback: false,
        });
        let cases: [Case<'_>; 12] = [
            (
                &[
                    ("host", "127.0.0.1:8788"),
                    ("origin", "http://127.0.0.1:8788"),
                    ("sec-fetch-site", "same-origin"),
                ],
                plain,
            ),
            (&[("host", "[::1]:1"), ("origin", "http://[::1]:1")], plain),
            (
                &[
                    ("host", "console.example.com"),
                    ("origin", "https://console.example.com"),
                ],
                proxied,
            ),
            (
                &[
                    ("host", "console.example.com:443"),
                    ("origin", "https://console.example.com"),
                ],
                proxied,
            ),
            (
                &[
                    ("host", "a.test"),
                    ("origin", "http://a.test"),
                    ("sec-fetch-site", "same-site"),
                ],
                Err(Foreign::Site),
            ),
            (
                &[("host", "a.test"), ("sec-fetch-site", "cross-site")],
                Err(Foreign::Site),
            ),
            (
                &[("host", "a.test"), ("sec-fetch-site", "none")],
                Err(Foreign::Site),
            ),
            (&[("host", "a.test")], Err(Foreign::NoOrigin)),
            (
                &[("host", "a.test"), ("origin", "null")],
                Err(Foreign::Host),
            ),
            (
                &[("host", "a.test"), ("origin", "http://a.test:81")],
                Err(Foreign::Host),
            ),
            (
                &[("host", "a.test"), ("origin", "http://a.test.evil.test")],
                Err(Foreign::Host),
            ),
            (&[("origin", "http://a.test")], Err(Foreign::Host)),
        ];
        for (pairs, expected) in cases {
            assert_eq!(verdict(pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn two_origins_are_none() {
        let both = [
            ("host", "a.test"),
            ("origin", "http://a.test"),
            ("origin", "http://b.test"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in both {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let uri = Uri::from_static("/");
        assert_eq!(own(&headers, &uri), Err(Foreign::NoOrigin));
    }
}
