//! Asking for usage: what is added up, and what comes of it.

use super::{Hour, Source, Tallies, Usage};
use crate::{
    grant::Mode,
    ids::{LiveId, ProfileName, Subject},
};

/// What usage may be grouped by.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Grouping {
    /// One live session each.
    Session,
    /// One subject each.
    Subject,
    /// One role each.
    Role,
    /// One profile each.
    Profile,
    /// One mode each.
    Mode,
    /// One model each.
    Model,
    /// One day each.
    Day,
    /// One hour each.
    Hour,
}

impl Grouping {
    /// Whether the trail's counts can be grouped by it: records of mints name
    /// neither the role that allowed one nor its live sessions.
    #[must_use]
    pub const fn counts_activity(self) -> bool {
        !matches!(self, Self::Session | Self::Role)
    }
}

/// Which usage is asked for.
#[derive(Debug, Clone, Default)]
pub struct UsageQuery {
    /// From this hour on; a day means all of it.
    pub from: Option<Hour>,
    /// To this hour, it included; a day means all of it.
    pub to: Option<Hour>,
    /// Only this subject's.
    pub subject: Option<Subject>,
    /// Only of this profile.
    pub profile: Option<ProfileName>,
    /// Only in this mode.
    pub mode: Option<Mode>,
    /// Only of this model.
    pub model: Option<String>,
    /// Only of this live session.
    pub session: Option<LiveId>,
    /// What it is added up by; one group for all of it where this is empty.
    pub by: Vec<Grouping>,
    /// At most so many groups: of hours and days the newest, else the dearest.
    pub limit: usize,
}

impl UsageQuery {
    /// Whether what the trail counts can be told beside.
    #[must_use]
    pub fn counts_activity(&self) -> bool {
        self.session.is_none() && self.by.iter().all(|by| by.counts_activity())
    }

    /// Whether groups stand in the order of time.
    #[must_use]
    pub fn in_time(&self) -> bool {
        matches!(self.by.first(), Some(Grouping::Day | Grouping::Hour))
    }

    /// Whether an hour is asked for.
    #[must_use]
    pub fn spans(&self, hour: Hour) -> bool {
        let to = self.to.map(Hour::or_last);
        self.from.is_none_or(|from| hour >= from) && to.is_none_or(|to| hour <= to)
    }

    /// The texts that columns of these names must hold.
    #[must_use]
    pub fn texts(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("subject", self.subject.as_ref().map(ToString::to_string)),
            ("profile", self.profile.as_ref().map(ToString::to_string)),
            ("mode", self.mode.map(|mode| mode.to_string())),
            ("model", self.model.clone()),
            ("session", self.session.as_ref().map(ToString::to_string)),
        ];
        let given = given.into_iter();
        given
            .filter_map(|(name, text)| Some((name, text?)))
            .collect()
    }

    /// As many groups as are asked for. They come newest or dearest first, one
    /// more than the limit where there are more.
    #[must_use]
    pub fn cut(&self, mut groups: Vec<UsageTotal>) -> UsageTotals {
        let most = self.limit.max(1);
        let more = groups.len() > most;
        groups.truncate(most);
        if self.in_time() {
            groups.sort_by(|a, b| a.group.first().cmp(&b.group.first()));
        }
        UsageTotals { groups, more }
    }
}

/// The usage of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageTotal {
    /// The group: a value for each of the query's groupings, in their order;
    /// empty where it is not known.
    pub group: Vec<String>,
    /// Who says so; the two are never added up together.
    pub source: Source,
    /// How many sessions it was.
    pub sessions: u64,
    /// What they used.
    pub usage: Usage,
    /// What the trail counts.
    pub activity: Tallies,
}

/// Groups of usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageTotals {
    /// Days and hours in their order, others the dearest first.
    pub groups: Vec<UsageTotal>,
    /// Whether there are more than were asked for.
    pub more: bool,
}
