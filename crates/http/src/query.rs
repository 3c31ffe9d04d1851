//! Reads query parameters, naming the one at fault.

use axum::extract::Query;
use hallpass_core::{code::Code, refusal::Refusal, request};
use http::Uri;
use serde::de::DeserializeOwned;

/// The parameters of a route, each with what it must be.
pub(crate) type Known = &'static [(&'static str, &'static str)];

/// Reads all parameters of a request; each member of `T` must be optional.
///
/// # Errors
///
/// A [`Refusal`] naming the first that is unknown, comes twice, or can't be
/// read.
pub(crate) fn read<T: DeserializeOwned>(uri: &Uri, known: Known) -> Result<T, Refusal> {
    match Query::<T>::try_from_uri(uri) {
        Ok(Query(parameters)) => Ok(parameters),
        Err(_) => Err(fault::<T>(uri.query().unwrap_or_default(), known)),
    }
}

/// The refusal of a parameter whose text was read and means nothing.
pub(crate) fn wrong(known: Known, name: &str) -> Refusal {
    let wanted = known.iter().find(|(there, _)| *there == name);
    let text = match wanted {
        Some((_, wanted)) => format!("The query parameter \"{name}\" must be {wanted}."),
        None => format!("The query parameter \"{name}\" is not valid."),
    };
    Refusal::new(Code::InvalidMember, text).member(name)
}

/// Reads each parameter alone to find the one that can't be read.
fn fault<T: DeserializeOwned>(query: &str, known: Known) -> Refusal {
    let mut seen = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let Some(name) = name_of(piece) else { break };
        if !known.iter().any(|(there, _)| *there == name) {
            return unknown(&name, known);
        }
        if seen.contains(&name) {
            let text = format!("The query parameter \"{name}\" comes twice. Send it once.");
            return Refusal::new(Code::InvalidMember, text).member(name);
        }
        if alone::<T>(piece).is_none() {
            return wrong(known, &name);
        }
        seen.push(name);
    }
    Refusal::new(Code::InvalidMember, "The query can't be read.")
}

fn alone<T: DeserializeOwned>(piece: &str) -> Option<T> {
    let uri: Uri = format!("/?{piece}").parse().ok()?;
    Query::try_from_uri(&uri).ok().map(|Query(read)| read)
}

fn name_of(piece: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = alone(piece)?;
    pairs.into_iter().next().map(|(name, _)| name)
}

fn unknown(name: &str, known: Known) -> Refusal {
    let name = request::clean(name, 100);
    let names: Vec<_> = known.iter().map(|(there, _)| *there).collect();
    let names = names.join(", ");
    let text = format!("There is no query parameter \"{name}\" here. There are: {names}.");
    Refusal::new(Code::UnknownMember, text).member(name)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    const KNOWN: Known = &[
        ("limit", "a whole number from 1 to 200"),
        ("state", "a state"),
    ];

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        limit: Option<usize>,
        state: Option<String>,
    }

    fn refused(query: &str) -> (Code, Option<String>) {
        let uri = format!("/x?{query}").parse().unwrap();
        let refusal = read::<Parameters>(&uri, KNOWN).unwrap_err();
        (refusal.code, refusal.member)
    }

    #[test]
    fn good_parameters_are_read_in_any_order() {
        let uri = "/x?state=a%26b&&limit=3".parse().unwrap();
        let read: Parameters = read(&uri, KNOWN).unwrap();
        assert_eq!((read.limit, read.state.as_deref()), (Some(3), Some("a&b")));
    }

    #[test]
    fn the_parameter_at_fault_is_named() {
        let named = |name: &str| (Code::InvalidMember, Some(name.to_owned()));
        for bad in [
            "limit=x",
            "limit=-1",
            "limit=",
            "state=a&limit=1e3",
            "limit",
        ] {
            assert_eq!(refused(bad), named("limit"), "{bad}");
        }
        assert_eq!(refused("limit=1&state=a&state=b"), named("state"));
        assert_eq!(
            refused("limit=1&foo=2"),
            (Code::UnknownMember, Some("foo".to_owned()))
        );
    }

    #[test]
    fn what_it_must_be_is_said() {
        let uri = "/x?limit=x".parse().unwrap();
        let refusal = read::<Parameters>(&uri, KNOWN).unwrap_err();
        let text = "The query parameter \"limit\" must be a whole number from 1 to 200.";
        assert_eq!(refusal.detail, text);
    }
}
