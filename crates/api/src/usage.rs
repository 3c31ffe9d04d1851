//! Usage and what the trail counts: what is answered, as JSON and as a table.

mod csv;

use std::collections::BTreeMap;

use hallpass_core::{
    live::EndKind,
    money::NanoUsd,
    usage::{Activity, Happening, Tallies, Usage, UsageQuery, UsageTotal, UsageTotals},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Answer of `GET /api/admin/usage`.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageReport {
    /// What it is added up by, in this order, with commas.
    #[schema(example = "subject")]
    pub by: String,
    /// The groups: days and hours in their order, others the dearest first.
    pub data: Vec<UsageGroup>,
    /// Whether there are more groups than were asked for: of days and hours
    /// older ones, else cheaper ones.
    pub more: bool,
    /// How many records of this server's audit trail are counted in `activity`.
    pub counted_records: u64,
}

/// One group.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageGroup {
    /// The group: a session's id, a subject, a day, an hour as
    /// `2026-11-22T14:00Z`. Of several groupings, their values with commas.
    #[schema(example = "user-42")]
    pub group: String,
    /// The same, by grouping; empty where it is not known.
    #[schema(value_type = Object, example = json!({"subject": "user-42"}))]
    pub groups: BTreeMap<&'static str, String>,
    /// `measured` by Hallpass, or `reported` by pages.
    #[schema(example = "measured")]
    pub source: &'static str,
    /// How many sessions used something.
    pub sessions: u64,
    /// What they used.
    #[serde(flatten)]
    pub usage: UsageAnswer,
    /// What the trail counts; absent where grouped by session or role, or asked
    /// of one session, which records of mints don't name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityAnswer>,
}

/// What was used, and what it cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageAnswer {
    /// How long it was live, in seconds.
    pub live_seconds: u64,
    /// Responses that ended, cancelled and failed ones included.
    pub responses: u64,
    /// Transcriptions that ended.
    pub transcriptions: u64,
    /// Input tokens by kind; cached ones are a part of these.
    pub input: TokenCounts,
    /// Of the input, what was cached.
    pub cached: TokenCounts,
    /// Output tokens by kind.
    pub output: TokenCounts,
    /// Audio transcribed by the second, in milliseconds.
    pub transcribed_ms: u64,
    /// What is known of the cost, in dollars, to the billionth.
    #[schema(example = "0.012345000")]
    pub cost_usd: String,
    /// Responses and transcriptions that are not in `cost_usd` because their
    /// cost is not known.
    pub unpriced: u64,
}

/// Tokens by kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenCounts {
    /// As text.
    pub text: u64,
    /// As audio.
    pub audio: u64,
    /// As images.
    pub image: u64,
}

/// What the trail counts.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ActivityAnswer {
    /// Client secrets issued, refreshes among them.
    pub mints: u64,
    /// Mints a rule refused; they are among the `refusals`.
    pub mints_refused: u64,
    /// Mints that failed by this server's fault or OpenAI's; they are among the
    /// `failures`.
    pub mints_failed: u64,
    /// Mints whose caller went away.
    pub mints_abandoned: u64,
    /// Requests of any kind a rule refused, by code.
    pub refusals: BTreeMap<String, u64>,
    /// Requests of any kind that failed, by code.
    pub failures: BTreeMap<String, u64>,
    /// Client secrets whose time was over.
    pub secrets_expired: u64,
    /// Live sessions that began.
    pub sessions_started: u64,
    /// Sessions that ended, by reason; `reported` ones by the reason the page
    /// gave.
    pub disconnects: BTreeMap<String, u64>,
    /// Of these, those whose time or lease was over.
    pub sessions_expired: u64,
    /// What the sessions that ended had cost, as their records say, in dollars.
    /// It differs from `cost_usd` by sessions that were live before or go on
    /// after.
    #[schema(example = "0.012345000")]
    pub sessions_ended_cost_usd: String,
}

impl From<&Usage> for UsageAnswer {
    fn from(usage: &Usage) -> Self {
        let tokens = &usage.tokens;
        let counts = |text, audio, image| TokenCounts { text, audio, image };
        Self {
            live_seconds: usage.live_ms / 1000,
            responses: usage.responses,
            transcriptions: usage.transcriptions,
            input: counts(tokens.input_text, tokens.input_audio, tokens.input_image),
            cached: counts(tokens.cached_text, tokens.cached_audio, tokens.cached_image),
            output: counts(tokens.output_text, tokens.output_audio, 0),
            transcribed_ms: usage.transcribed_ms,
            cost_usd: usage.cost.to_string(),
            unpriced: usage.unpriced,
        }
    }
}

impl UsageReport {
    /// The report of what was asked for.
    #[must_use]
    pub fn new(query: &UsageQuery, totals: &UsageTotals, counted_records: u64) -> Self {
        let by: Vec<&'static str> = query.by.iter().map(Into::into).collect();
        let counts = query.counts_activity();
        let groups = totals.groups.iter();
        Self {
            data: groups
                .map(|total| UsageGroup::new(&by, total, counts))
                .collect(),
            more: totals.more,
            counted_records,
            by: by.join(","),
        }
    }
}

impl UsageGroup {
    fn new(by: &[&'static str], total: &UsageTotal, counts: bool) -> Self {
        let values = total.group.iter().cloned();
        Self {
            group: total.group.join(","),
            groups: by.iter().copied().zip(values).collect(),
            source: total.source.into(),
            sessions: total.sessions,
            usage: (&total.usage).into(),
            activity: counts.then(|| ActivityAnswer::of(&total.activity)),
        }
    }
}

impl ActivityAnswer {
    fn of(tallies: &Tallies) -> Self {
        let mut answer = Self::default();
        let mut cost = NanoUsd::ZERO;
        for (happening, tally) in tallies {
            answer.count(happening, tally.times);
            cost += tally.cost;
        }
        answer.sessions_ended_cost_usd = cost.to_string();
        answer
    }

    fn count(&mut self, happening: &Happening, times: u64) {
        let number = match happening.activity {
            Activity::Minted => Some(&mut self.mints),
            Activity::MintRefused => Some(&mut self.mints_refused),
            Activity::MintFailed => Some(&mut self.mints_failed),
            Activity::Abandoned => Some(&mut self.mints_abandoned),
            Activity::SecretExpired => Some(&mut self.secrets_expired),
            Activity::Started => Some(&mut self.sessions_started),
            Activity::Ended => happening
                .end()
                .filter(|end| *end == EndKind::Expired)
                .map(|_| &mut self.sessions_expired),
            Activity::Refused | Activity::Failed => None,
        };
        if let Some(number) = number {
            *number += times;
        }
        let reasons = match happening.activity {
            Activity::MintRefused | Activity::Refused => &mut self.refusals,
            Activity::MintFailed | Activity::Failed => &mut self.failures,
            Activity::Ended => &mut self.disconnects,
            _ => return,
        };
        *reasons.entry(happening.reason.clone()).or_default() += times;
    }
}
