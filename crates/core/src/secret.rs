//! Secrets that pass through: shown once, never printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A client secret on its way to the browser.
///
/// `Debug` shows only the last four characters; the text itself leaves through
/// [`ClientSecret::expose`] alone.
#[derive(Clone)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// Wraps the text of a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The whole secret: for the answer to the caller, and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The last four characters, by which people tell secrets apart.
    #[must_use]
    pub fn last4(&self) -> &str {
        last4(self.0.expose_secret())
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientSecret(…{})", self.last4())
    }
}

/// The last four characters of a text, fewer when it is shorter than sixteen.
///
/// A short text would be given away by its end, so it gives nothing.
#[must_use]
pub fn last4(text: &str) -> &str {
    if text.len() < 16 {
        return "";
    }
    let start = text.len() - 4;
    text.get(start..).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_secret() {
        let secret = ClientSecret::new("ek_0123456789abcdef".to_owned());
        assert_eq!(format!("{secret:?}"), "ClientSecret(…cdef)");
    }

    #[test]
    fn a_short_or_multibyte_text_gives_nothing() {
        assert_eq!(last4("short"), "");
        assert_eq!(last4("0123456789012€€"), "");
    }
}
