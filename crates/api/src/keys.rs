//! API keys as operators make and see them.

use std::time::Duration;

use hallpass_core::{
    code::Code,
    ids::{RoleName, Subject},
    key::{ApiKey, KeyKind},
    key_issuer::NewKey,
    ports::StoredKey,
    refusal::Refusal,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::members::Members;

/// How long a rotated key goes on working where the request does not say.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// The longest such time.
const MAX_OVERLAP_SECONDS: u64 = 30 * 24 * 3600;
/// The longest life of a key that has an end, ten years.
const MAX_LIFE_SECONDS: u64 = 10 * 366 * 24 * 3600;
/// Most roles, and most networks, of one key.
const MAX_ITEMS: usize = 64;

/// Body of `POST /api/admin/keys`.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKeyRequest {
    /// Who will use it; the subject of its callers.
    #[schema(example = "backend")]
    pub name: String,
    /// The roles it gives, at least one.
    #[schema(example = json!(["service"]))]
    pub roles: Vec<String>,
    /// `svc` for a service, which is the default, or `adm` for an operator.
    #[schema(example = "svc")]
    pub kind: Option<String>,
    /// Networks it may be used from, as addresses or CIDR; none means any.
    #[schema(example = json!(["10.0.0.0/8"]))]
    pub networks: Option<Vec<String>>,
    /// How long it lasts; absent: without end.
    #[schema(example = 7_776_000)]
    pub expires_in_seconds: Option<u64>,
}

/// Body of `POST /api/admin/keys/{id}/rotate`.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotateRequest {
    /// How long the old key goes on working; absent: a day, 0: not at all.
    #[schema(example = 86_400)]
    pub overlap_seconds: Option<u64>,
}

/// A key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyAnswer<'a> {
    /// Its public id, the third part of the whole key.
    pub id: &'a str,
    /// `svc` or `adm`.
    pub kind: &'static str,
    /// Who uses it.
    pub name: &'a str,
    /// The roles it gives.
    pub roles: Vec<&'a str>,
    /// Networks it may be used from; empty means any.
    pub networks: &'a [String],
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was withdrawn.
    pub revoked_at: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<String>,
    /// The key that takes its place.
    pub replaced_by: Option<&'a str>,
}

/// Answer that hands a new key out, once.
#[derive(Serialize, ToSchema)]
pub struct NewKeyAnswer<'a> {
    /// The whole key. It is shown this once and kept nowhere.
    pub key: &'a str,
    /// The key without its secret.
    #[serde(flatten)]
    pub about: KeyAnswer<'a>,
}

/// All keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyList<'a> {
    /// The keys.
    pub data: Vec<KeyAnswer<'a>>,
}

impl<'a> KeyAnswer<'a> {
    /// What may be seen of a key.
    #[must_use]
    pub fn new(key: &'a StoredKey) -> Self {
        let time = |time: Option<hallpass_core::Timestamp>| time.map(|time| time.to_string());
        Self {
            id: key.id.as_str(),
            kind: key.kind.into(),
            name: key.name.as_str(),
            roles: key.roles.iter().map(RoleName::as_str).collect(),
            networks: &key.networks,
            created_at: key.created_at.to_string(),
            expires_at: time(key.expires_at),
            revoked_at: time(key.revoked_at),
            last_used_at: time(key.last_used_at),
            replaced_by: key.replaced_by.as_ref().map(|id| id.as_str()),
        }
    }
}

impl<'a> NewKeyAnswer<'a> {
    /// The answer for a key just made.
    #[must_use]
    pub fn new(key: &'a ApiKey, stored: &'a StoredKey) -> Self {
        Self {
            key: key.expose(),
            about: KeyAnswer::new(stored),
        }
    }
}

/// Reads the body of `POST /api/admin/keys`; `is_network` tells whether a text
/// is an address or a network.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_new(body: &[u8], is_network: fn(&str) -> bool) -> Result<NewKey, Refusal> {
    let mut members = Members::parse(body)?;
    let name = members.parsed("name", "a text of 1 to 256 bytes", Subject::new)?;
    let roles = members.list("roles", "a list of role names", RoleName::new)?;
    let kind = members.parsed("kind", "\"svc\" or \"adm\"", |text| text.parse::<KeyKind>())?;
    let networks = members.list(
        "networks",
        "a list of addresses or networks such as \"10.0.0.0/8\"",
        |text| is_network(&text).then_some(text).ok_or(()),
    )?;
    let lasts = seconds(&mut members, "expires_in_seconds", 1..=MAX_LIFE_SECONDS)?;
    members.finish()?;
    if roles.is_empty() || roles.len() > MAX_ITEMS || networks.len() > MAX_ITEMS {
        let text = "\"roles\" must name 1 to 64 roles, and \"networks\" at most 64 networks.";
        return Err(Refusal::new(Code::InvalidMember, text).member("roles"));
    }
    Ok(NewKey {
        name: name.ok_or_else(|| missing("name"))?,
        kind: kind.unwrap_or(KeyKind::Svc),
        roles,
        networks,
        lasts: lasts.map(Duration::from_secs),
    })
}

/// Reads the body of `POST /api/admin/keys/{id}/rotate`: the overlap.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_rotate(body: &[u8]) -> Result<Duration, Refusal> {
    let mut members = Members::parse(body)?;
    let overlap = seconds(&mut members, "overlap_seconds", 0..=MAX_OVERLAP_SECONDS)?;
    members.finish()?;
    Ok(overlap.map_or(DEFAULT_OVERLAP, Duration::from_secs))
}

fn seconds(
    members: &mut Members,
    name: &'static str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, Refusal> {
    let asked = members.whole(name)?;
    if asked.is_none_or(|asked| range.contains(&asked)) {
        return Ok(asked);
    }
    let text = format!("\"{name}\" must be {} to {}.", range.start(), range.end());
    Err(Refusal::new(Code::InvalidMember, text).member(name))
}

pub(crate) fn missing(name: &'static str) -> Refusal {
    let text = format!("\"{name}\" is missing.");
    Refusal::new(Code::InvalidMember, text).member(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Option<String> {
        read_new(body.as_bytes(), |text| text == "net")
            .unwrap_err()
            .member
    }

    #[test]
    fn a_whole_request_is_read() {
        let body = br#"{"name":"backend","roles":["service"],"kind":"adm","networks":["net"],"expires_in_seconds":60}"#;
        let new = read_new(body, |text| text == "net").unwrap();
        assert_eq!(
            (new.kind, new.lasts),
            (KeyKind::Adm, Some(Duration::from_secs(60)))
        );
        assert_eq!(new.networks, ["net"]);
    }

    #[test]
    fn each_wrong_member_is_named() {
        assert_eq!(refused(r#"{"roles":["r"]}"#).as_deref(), Some("name"));
        assert_eq!(refused(r#"{"name":"n"}"#).as_deref(), Some("roles"));
        assert_eq!(
            refused(r#"{"name":"n","roles":"r"}"#).as_deref(),
            Some("roles")
        );
        assert_eq!(
            refused(r#"{"name":"n","roles":["r"],"networks":["x"]}"#).as_deref(),
            Some("networks")
        );
        assert_eq!(
            refused(r#"{"name":"n","roles":["r"],"expires_in_seconds":0}"#).as_deref(),
            Some("expires_in_seconds")
        );
        let long = read_rotate(br#"{"overlap_seconds": 99999999}"#).unwrap_err();
        assert_eq!(long.member.as_deref(), Some("overlap_seconds"));
    }
}
