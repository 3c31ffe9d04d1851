//! Reading forms and addresses.

use axum::body::{Body, to_bytes};
use hallpass_core::{code::Code, refusal::Refusal};
use url::form_urlencoded;

/// Largest form, in bytes; its longest field is an API key or a reason.
const LARGEST: usize = 16 * 1024;

/// The fields of a form or of an address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads the fields of an address.
    pub(crate) fn of_query(query: Option<&str>) -> Self {
        Self::parse(query.unwrap_or("").as_bytes())
    }

    /// Reads a form.
    pub(crate) async fn of_body(body: Body) -> Result<Self, Refusal> {
        let bytes = to_bytes(body, LARGEST).await.map_err(|_| {
            Refusal::new(
                Code::BodyTooLarge,
                "The form is too long or did not arrive. Send it again.",
            )
        })?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A field that is filled in; the first of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut known = self.0.iter();
        let (_, value) = known.find(|(known, _)| known == name)?;
        let value = value.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The same, as an owned text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

/// An address with fields, those without a value left out.
pub(crate) fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let filled: Vec<_> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if filled.is_empty() {
        return path.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(filled);
    format!("{path}?{}", query.finish())
}

/// A text as one part of a path.
pub(crate) fn part(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_empty_is_not_there() {
        let fields = Fields::of_query(Some("subject=a%26b&action=&since=+x+&subject=c"));
        assert_eq!(fields.get("subject"), Some("a&b"));
        assert_eq!(fields.get("action"), None);
        assert_eq!(fields.get("since"), Some("x"));
    }

    #[test]
    fn hostile_text_stays_within_its_field() {
        assert_eq!(
            address("/x", &[("subject", "a&b=\"><"), ("none", "")]),
            "/x?subject=a%26b%3D%22%3E%3C"
        );
        assert_eq!(address("/x", &[("none", "")]), "/x");
        assert_eq!(part("../a b?c#d"), "..%2Fa%20b%3Fc%23d");
    }

    #[tokio::test]
    async fn a_form_that_is_too_long_is_refused() {
        let body = Body::from(vec![b'a'; LARGEST + 1]);
        let refusal = Fields::of_body(body).await.unwrap_err();
        assert_eq!(refusal.code, Code::BodyTooLarge);
    }
}
