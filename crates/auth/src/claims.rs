//! Claims that were proven: who, until when, with which roles.

use std::time::Duration;

use hallpass_core::{
    Timestamp,
    caller::{Caller, Scheme},
    ids::{CredentialId, RoleName, SessionId, Subject},
};

use crate::{
    ClaimNames, Reason, SettingsError,
    json::{Json, Object},
};

/// The most tolerance a configuration may give.
const MAX_LEEWAY: Duration = Duration::from_secs(120);
/// The last second that is a time: the end of the year 9999.
const LAST_SECOND: f64 = 253_402_207_200.0;
const MICROS: f64 = 1_000_000.0;

/// A tolerance between two clocks, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leeway(i64);

impl Leeway {
    pub(crate) fn new(leeway: Duration) -> Result<Self, SettingsError> {
        if leeway > MAX_LEEWAY {
            return Err(SettingsError::Leeway);
        }
        Ok(Self(micros(leeway)))
    }
}

/// A duration in whole microseconds, at most some 292,000 years.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// When a credential is valid, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    expires: i64,
    not_before: Option<i64>,
    issued: Option<i64>,
}

impl Times {
    /// Reads `exp`, `nbf` and `iat`; the first must be there.
    pub(crate) fn read(claims: &Object<'_>) -> Result<Self, Reason> {
        let time = |name| claims.get(name).map(numeric_date).transpose();
        Ok(Self {
            expires: time("exp")?.ok_or(Reason::ExpiryMissing)?,
            not_before: time("nbf")?,
            issued: time("iat")?,
        })
    }

    /// Whether the credential is valid now.
    pub(crate) fn check(&self, now: Timestamp, leeway: Leeway) -> Result<(), Reason> {
        let now = now.as_microsecond();
        if self.expires.saturating_add(leeway.0) <= now {
            return Err(Reason::Expired);
        }
        let latest = now.saturating_add(leeway.0);
        if self.not_before.is_some_and(|time| time > latest) {
            return Err(Reason::NotYetValid);
        }
        if self.issued.is_some_and(|time| time > latest) {
            return Err(Reason::IssuedInFuture);
        }
        Ok(())
    }

    /// How long the credential is valid, from its issue or else from now.
    pub(crate) fn lifetime(&self, now: Timestamp) -> i64 {
        let start = self.issued.unwrap_or_else(|| now.as_microsecond());
        self.expires.saturating_sub(start)
    }
}

/// Seconds since 1970, whole or not, as RFC 7519 has them.
fn numeric_date(value: &Json<'_>) -> Result<i64, Reason> {
    let Json::Number(seconds) = value else {
        return Err(Reason::TimeInvalid);
    };
    if !(-LAST_SECOND..=LAST_SECOND).contains(seconds) {
        return Err(Reason::TimeInvalid);
    }
    #[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
    Ok((seconds * MICROS).floor() as i64)
}

/// Where a caller's claims come from.
pub(crate) struct Origin<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) credential: &'a CredentialId,
    pub(crate) names: &'a ClaimNames,
}

impl Origin<'_> {
    /// Makes the caller of proven claims.
    pub(crate) fn caller(&self, claims: &Object<'_>, times: &Times) -> Result<Caller, Reason> {
        Ok(Caller {
            subject: self.subject(claims)?,
            scheme: self.scheme,
            credential: self.credential.clone(),
            roles: self.roles(claims),
            session_id: text(claims, self.names.session_id.as_deref())
                .and_then(|text| text.map(SessionId::new).transpose().ok())
                .ok_or(Reason::SessionIdInvalid)?,
            tenant: text(claims, self.names.tenant.as_deref())
                .and_then(|text| text.map(Subject::new).transpose().ok())
                .ok_or(Reason::TenantInvalid)?,
            issued_at: times.issued.and_then(timestamp),
            expires_at: timestamp(times.expires),
        })
    }

    fn subject(&self, claims: &Object<'_>) -> Result<Subject, Reason> {
        let value = claims
            .at(&self.names.subject)
            .ok_or(Reason::SubjectMissing)?;
        let text = value.as_text().ok_or(Reason::SubjectInvalid)?;
        Subject::new(text).map_err(|_| Reason::SubjectInvalid)
    }

    /// Only an array of names gives roles: a text in its place must not.
    fn roles(&self, claims: &Object<'_>) -> Vec<RoleName> {
        let path = self.names.roles.as_deref();
        let names = path.and_then(|path| claims.at(path)?.as_texts());
        let roles = names.into_iter().flatten().map(RoleName::new);
        roles.collect::<Result<_, _>>().unwrap_or_default()
    }
}

/// An optional text: none where it is absent or null, an error where it is
/// anything else, since a credential must not lose what it is bound to.
#[allow(clippy::option_option, reason = "absent and unusable are two cases")]
fn text<'c>(claims: &'c Object<'_>, path: Option<&str>) -> Option<Option<&'c str>> {
    match path.and_then(|path| claims.at(path)) {
        None | Some(Json::Null) => Some(None),
        Some(value) => value.as_text().map(Some),
    }
}

fn timestamp(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEEWAY: Leeway = Leeway(30_000_000);

    fn times(text: &str) -> Result<Times, Reason> {
        Times::read(&Object::read(text.as_bytes()).unwrap())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn each_time_has_its_own_bound() {
        let times = times(r#"{"exp":1000,"nbf":500,"iat":400}"#).unwrap();
        assert_eq!(times.check(at(369), LEEWAY), Err(Reason::NotYetValid));
        assert_eq!(times.check(at(469), LEEWAY), Err(Reason::NotYetValid));
        assert_eq!(times.check(at(470), LEEWAY), Ok(()));
        assert_eq!(times.check(at(1029), LEEWAY), Ok(()));
        assert_eq!(times.check(at(1030), LEEWAY), Err(Reason::Expired));
        assert_eq!(times.lifetime(at(0)), 600_000_000);
    }

    #[test]
    fn only_numbers_are_times() {
        for text in [
            r#"{"exp":"1000"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":[1000]}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":18446744073709551616}"#,
            r#"{"exp":1795352400000}"#,
            r#"{"exp":1000,"nbf":"0"}"#,
            r#"{"exp":1000,"iat":{}}"#,
        ] {
            assert_eq!(times(text), Err(Reason::TimeInvalid), "{text}");
        }
        assert_eq!(times("{}"), Err(Reason::ExpiryMissing));
    }

    proptest! {
        #[test]
        fn a_later_clock_never_revives_what_expired(exp in -1e12..1e12_f64, now in 0..4_000_000_000_i64, more in 0..1_000_000_i64) {
            let Ok(times) = times(&format!("{{\"exp\":{exp}}}")) else {
                return Ok(());
            };
            if times.check(at(now), LEEWAY) == Err(Reason::Expired) {
                prop_assert_eq!(times.check(at(now + more), LEEWAY), Err(Reason::Expired));
            }
        }
    }
}
