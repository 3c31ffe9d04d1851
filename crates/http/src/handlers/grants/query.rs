//! What a list of grants is asked for.

use hallpass_core::{
    Timestamp,
    ids::{GrantId, LineageId, ProfileName, SessionId, Subject},
    ports::GrantFilter,
    refusal::Refusal,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::query::{self, Known};

/// Grants on a page that does not say how many.
const DEFAULT_PAGE: usize = 50;
/// Most grants on a page.
const MAX_PAGE: usize = 200;

/// What may be asked.
pub(super) const PARAMETERS: Known = &[
    ("session_id", "a text of 1 to 256 bytes"),
    ("profile", "the name of a profile"),
    ("lineage", "the id of a lineage"),
    (
        "state",
        "\"active\", \"connected\", \"expired\", \"revoked\" or \"ended\"",
    ),
    (
        "subject",
        "a caller's id, and left out by all but operators",
    ),
    ("cursor", "\"next_cursor\" of the page before"),
    ("limit", "a whole number from 1 to 200"),
];

/// Which grants are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GrantQuery {
    /// Only of this interview.
    session_id: Option<String>,
    /// Only of this profile.
    profile: Option<String>,
    /// Only of this lineage.
    lineage: Option<String>,
    /// Only in this state: `active`, `connected`, `expired`, `revoked` or `ended`.
    state: Option<String>,
    /// Only this subject's; admin listener only.
    subject: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Grants on the page, 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<usize>,
}

impl GrantQuery {
    /// Reads it; `own` is whose grants alone may be read, if not anyone's.
    pub(super) fn filter(
        self,
        own: Option<&Subject>,
        now: Timestamp,
    ) -> Result<GrantFilter, Refusal> {
        let wrong = |name: &str| query::wrong(PARAMETERS, name);
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(wrong("limit"));
        }
        if self.subject.is_some() && own.is_some() {
            return Err(wrong("subject"));
        }
        let asked = self
            .subject
            .map(Subject::new)
            .transpose()
            .map_err(|_| wrong("subject"))?;
        Ok(GrantFilter {
            subject: own.cloned().or(asked),
            session_id: self
                .session_id
                .map(SessionId::new)
                .transpose()
                .map_err(|_| wrong("session_id"))?,
            profile: self
                .profile
                .map(ProfileName::new)
                .transpose()
                .map_err(|_| wrong("profile"))?,
            lineage: self
                .lineage
                .map(LineageId::new)
                .transpose()
                .map_err(|_| wrong("lineage"))?,
            state: self
                .state
                .map(|text| text.parse().map(|state| (state, now)))
                .transpose()
                .map_err(|_| wrong("state"))?,
            before: self
                .cursor
                .map(|text| read_cursor(&text).ok_or_else(|| wrong("cursor")))
                .transpose()?,
            limit,
        })
    }
}

/// A cursor is the last grant's time in milliseconds and its id.
fn read_cursor(text: &str) -> Option<(Timestamp, GrantId)> {
    let (millis, id) = text.split_once('.')?;
    let time = Timestamp::from_millisecond(millis.parse().ok()?).ok()?;
    Some((time, GrantId::new(id).ok()?))
}
