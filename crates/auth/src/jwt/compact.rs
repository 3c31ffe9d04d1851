//! The compact form: three parts, a header, and what was signed.

use std::borrow::Cow;

use super::Algorithm;
use crate::{
    Reason, base64url,
    json::{Json, Object},
};

/// The longest accepted token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Checked first, so that a long token costs nothing.
pub(super) const fn check_size(token: &str) -> Result<(), Reason> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Reason::TokenTooLarge);
    }
    Ok(())
}

/// Members that make a token something other than a plain signed one.
const REFUSED_MEMBERS: [&str; 3] = ["b64", "enc", "zip"];

/// The parts of a token, decoded; nothing in it is proven.
pub(super) struct UnverifiedToken<'t> {
    /// What the signature is made over.
    pub(super) signed: &'t [u8],
    pub(super) header: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'t> UnverifiedToken<'t> {
    pub(super) fn split(token: &'t str) -> Result<Self, Reason> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(Reason::TokenShape);
        };
        match parts.count() {
            0 => {}
            2 => return Err(Reason::EncryptedToken),
            _ => return Err(Reason::TokenShape),
        }
        Ok(Self {
            signed: &token.as_bytes()[..header.len() + 1 + payload.len()],
            header: base64url::decode(header)?,
            payload: base64url::decode(payload)?,
            signature: base64url::decode(signature)?,
        })
    }
}

/// What the header says of how to verify.
///
/// Members that name or hold a key (`jwk`, `jku`, `x5c`, `x5u`) are not looked
/// at: a token does not choose what it is verified with.
pub(super) struct Header<'h> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<Cow<'h, str>>,
}

impl<'h> Header<'h> {
    pub(super) fn read(bytes: &'h [u8]) -> Result<Self, Reason> {
        let header = Object::read(bytes)?;
        refuse_extensions(&header)?;
        check_typ(header.get("typ"))?;
        let alg = header.get("alg").and_then(Json::as_text);
        let algorithm = alg.and_then(|alg| alg.parse().ok());
        Ok(Self {
            algorithm: algorithm.ok_or(Reason::AlgNotAllowed)?,
            kid: kid(header)?,
        })
    }
}

/// The key's name, as text.
fn kid(header: Object<'_>) -> Result<Option<Cow<'_, str>>, Reason> {
    match header.take("kid") {
        None => Ok(None),
        Some(Json::Text(kid)) => Ok(Some(kid)),
        Some(_) => Err(Reason::KidInvalid),
    }
}

fn refuse_extensions(header: &Object<'_>) -> Result<(), Reason> {
    if header.get("crit").is_some() {
        return Err(Reason::CritPresent);
    }
    if header.get("cty").is_some() {
        return Err(Reason::NestedToken);
    }
    if REFUSED_MEMBERS
        .iter()
        .any(|name| header.get(name).is_some())
    {
        return Err(Reason::HeaderMemberRefused);
    }
    Ok(())
}

/// A token typed for another purpose is refused; media types ignore case and
/// may leave out `application/`.
fn check_typ(typ: Option<&Json<'_>>) -> Result<(), Reason> {
    let Some(typ) = typ else { return Ok(()) };
    let typ = typ.as_text().ok_or(Reason::TypNotAllowed)?;
    let subtype = match typ.split_once('/') {
        Some((kind, subtype)) if kind.eq_ignore_ascii_case("application") => subtype,
        Some(_) => return Err(Reason::TypNotAllowed),
        None => typ,
    };
    if ["jwt", "at+jwt"]
        .iter()
        .any(|known| subtype.eq_ignore_ascii_case(known))
    {
        return Ok(());
    }
    Err(Reason::TypNotAllowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(text: &str) -> Result<Algorithm, Reason> {
        Header::read(text.as_bytes()).map(|header| header.algorithm)
    }

    #[test]
    fn typ_is_that_of_an_access_token() {
        for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
            let text = format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#);
            assert_eq!(header(&text), Ok(Algorithm::Rs256), "{typ}");
        }
        for typ in [
            "jwe",
            "id+jwt",
            "dpop+jwt",
            "",
            "JWT ",
            "text/jwt",
            "application/",
        ] {
            let text = format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#);
            assert_eq!(header(&text), Err(Reason::TypNotAllowed), "{typ}");
        }
    }

    #[test]
    fn members_that_change_the_meaning_are_refused() {
        for (member, reason) in [
            (r#""crit":[]"#, Reason::CritPresent),
            (r#""cty":"JWT""#, Reason::NestedToken),
            (r#""b64":true"#, Reason::HeaderMemberRefused),
            (r#""enc":"A256GCM""#, Reason::HeaderMemberRefused),
            (r#""zip":null"#, Reason::HeaderMemberRefused),
        ] {
            let text = format!(r#"{{"alg":"RS256",{member}}}"#);
            assert_eq!(header(&text), Err(reason), "{member}");
        }
    }

    #[test]
    fn what_names_a_key_is_not_looked_at() {
        let text = r#"{"alg":"RS256","jku":"https://e.test","x5t":"a","x5c":[1],"jwk":7}"#;
        assert_eq!(header(text), Ok(Algorithm::Rs256));
    }

    #[test]
    fn the_shape_is_that_of_a_signed_token() {
        let split = |token| UnverifiedToken::split(token).err();
        assert_eq!(split("a.b.c.d.e"), Some(Reason::EncryptedToken));
        assert_eq!(split("a.b"), Some(Reason::TokenShape));
        assert_eq!(split("a.b.c.d"), Some(Reason::TokenShape));
        let long = "A".repeat(MAX_TOKEN_BYTES + 1);
        assert_eq!(check_size(&long), Err(Reason::TokenTooLarge));
        assert_eq!(check_size(&long[1..]), Ok(()));
    }

    proptest! {
        #[test]
        fn no_text_panics(token in "[A-Za-z0-9_.=-]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = UnverifiedToken::split(&token);
            let _ = Header::read(&bytes);
        }
    }
}
