//! The few facts of a record that counting needs, read without the rest.

use std::collections::BTreeMap;

use hallpass_core::Timestamp;
use memchr::memmem;
use serde::Deserialize;

use crate::stored::OutcomeKind;

/// What every final record has, and no announcement. Within a text it would
/// have its quotes escaped.
const FINAL: &[u8] = br#""phase":"outcome""#;

/// A final record, as far as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// When it happened, to the millisecond.
    pub time: Timestamp,
    /// What was done.
    pub action: String,
    /// How it went.
    pub outcome: OutcomeKind,
    /// The stable code of a refusal or failure.
    pub code: Option<String>,
    /// Who did it; of what nobody did, whose grant it is about.
    pub subject: Option<String>,
    /// Further facts, by name.
    pub facts: BTreeMap<String, String>,
}

impl Glance {
    /// Reads a line, without checking its seal; none where an outcome follows.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Option<Self>, String> {
        if memmem::find(line, FINAL).is_none() {
            return Ok(None);
        }
        let json: RecordJson = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let time = Timestamp::from_millisecond(json.time).map_err(|error| error.to_string())?;
        let ours = json.unmapped.hallpass;
        let sender = json.actor.user.and_then(|user| user.uid);
        Ok(Some(Self {
            time,
            action: ours.action,
            outcome: ours.outcome,
            code: ours.code,
            subject: sender.or_else(|| ours.grant.map(|grant| grant.subject)),
            facts: ours.facts,
        }))
    }
}

#[derive(Deserialize)]
struct RecordJson {
    time: i64,
    #[serde(default)]
    actor: ActorJson,
    unmapped: UnmappedJson,
}

#[derive(Default, Deserialize)]
struct ActorJson {
    user: Option<UserJson>,
}

#[derive(Deserialize)]
struct UserJson {
    uid: Option<String>,
}

#[derive(Deserialize)]
struct UnmappedJson {
    hallpass: OursJson,
}

#[derive(Deserialize)]
struct OursJson {
    action: String,
    outcome: OutcomeKind,
    code: Option<String>,
    grant: Option<GrantJson>,
    #[serde(default)]
    facts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct GrantJson {
    subject: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_record_is_read_and_an_announcement_is_not() {
        let line = br#"{"time":1795300000000,"actor":{"user":{"uid":"ada"}},"unmapped":{"hallpass":{"action":"grant.create","phase":"outcome","outcome":"refused","code":"rate_limited"}}}"#;
        let glance = Glance::read(line).unwrap().unwrap();
        assert_eq!(glance.subject.as_deref(), Some("ada"));
        assert_eq!(glance.code.as_deref(), Some("rate_limited"));
        assert_eq!(glance.outcome, OutcomeKind::Refused);
        let intent =
            String::from_utf8_lossy(line).replace("outcome\",\"outcome", "intent\",\"outcome");
        assert_eq!(Glance::read(intent.as_bytes()), Ok(None));
        let quoted = br#"{"unmapped":{"hallpass":{"reason":"\"phase\":\"outcome\""}}}"#;
        assert_eq!(Glance::read(quoted), Ok(None));
    }

    #[test]
    fn the_end_of_a_session_is_its_owners() {
        let line = br#"{"time":1795300000000,"unmapped":{"hallpass":{"action":"session.end","phase":"outcome","outcome":"success","grant":{"subject":"bob","id":"gr_1"},"facts":{"reason":"idle","cost_usd":"0.5"}}}}"#;
        let glance = Glance::read(line).unwrap().unwrap();
        assert_eq!(glance.subject.as_deref(), Some("bob"));
        assert_eq!(glance.facts["reason"], "idle");
    }
}
