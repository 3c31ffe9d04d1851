//! What sessions used and cost, and what they may.

mod activity;
mod budget;
mod hour;
mod query;

use std::{collections::HashMap, ops::Range};

use async_trait::async_trait;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    grant::Mode,
    ids::{ProfileName, RoleName, Subject},
    money::NanoUsd,
    ports::StoreError,
};

pub use activity::{Activity, ActivityKey, Counted, Happening, Tallies, Tally, said_reason};
pub use budget::{Account, Budget, Limit, Standing};
pub use hour::{Hour, InvalidHour};
pub use query::{Grouping, UsageQuery, UsageTotal, UsageTotals};

/// Tokens by kind, as OpenAI counts them: cached ones are a part of the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Input as text.
    pub input_text: u64,
    /// Input as audio.
    pub input_audio: u64,
    /// Input as images.
    pub input_image: u64,
    /// Of the text input, what was cached.
    pub cached_text: u64,
    /// Of the audio input, what was cached.
    pub cached_audio: u64,
    /// Of the image input, what was cached.
    pub cached_image: u64,
    /// Output as text.
    pub output_text: u64,
    /// Output as audio.
    pub output_audio: u64,
}

impl Tokens {
    /// All input.
    #[must_use]
    pub const fn input(&self) -> u64 {
        self.input_text
            .saturating_add(self.input_audio)
            .saturating_add(self.input_image)
    }

    /// All output.
    #[must_use]
    pub const fn output(&self) -> u64 {
        self.output_text.saturating_add(self.output_audio)
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.input_text, other.input_text),
            (&mut self.input_audio, other.input_audio),
            (&mut self.input_image, other.input_image),
            (&mut self.cached_text, other.cached_text),
            (&mut self.cached_audio, other.cached_audio),
            (&mut self.cached_image, other.cached_image),
            (&mut self.output_text, other.output_text),
            (&mut self.output_audio, other.output_audio),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}

/// What was used and what it cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Responses that ended, cancelled and failed ones included.
    pub responses: u64,
    /// Transcriptions that ended.
    pub transcriptions: u64,
    /// Tokens of all of them.
    pub tokens: Tokens,
    /// Audio transcribed by the second, in milliseconds.
    pub transcribed_ms: u64,
    /// How long sessions were live, in milliseconds.
    pub live_ms: u64,
    /// What is known of the cost.
    pub cost: NanoUsd,
    /// Responses and transcriptions whose cost is not known and not in `cost`:
    /// OpenAI told no usage, or the price table has no price.
    pub unpriced: u64,
}

impl Usage {
    /// Adds what came after.
    pub fn add(&mut self, other: &Self) {
        self.responses = self.responses.saturating_add(other.responses);
        self.transcriptions = self.transcriptions.saturating_add(other.transcriptions);
        self.tokens.add(&other.tokens);
        self.transcribed_ms = self.transcribed_ms.saturating_add(other.transcribed_ms);
        self.live_ms = self.live_ms.saturating_add(other.live_ms);
        self.cost += other.cost;
        self.unpriced = self.unpriced.saturating_add(other.unpriced);
    }

    /// Whether nothing was used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What one event of OpenAI's said was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The model it is billed under; of a transcription the transcriber's.
    pub model: String,
    /// What was used.
    pub usage: Usage,
}

/// Who says how much was used.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Source {
    /// OpenAI's events, seen by Hallpass.
    Measured,
    /// The page, which may say what it likes.
    Reported,
}

/// What usage is added up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsageKey {
    /// When, to the hour.
    pub hour: Hour,
    /// The live session; of a page's report its grant, as text.
    pub session: String,
    /// Who used it.
    pub subject: Subject,
    /// The role it was allowed by.
    pub role: RoleName,
    /// The profile it was used under.
    pub profile: ProfileName,
    /// How the browser reached OpenAI; none of what was kept before this was.
    pub mode: Option<Mode>,
    /// The model it is billed under.
    pub model: String,
    /// Who says so.
    pub source: Source,
}

/// The day of a moment, in UTC.
#[must_use]
pub fn day_of(time: Timestamp) -> Date {
    jiff::tz::Offset::UTC.to_datetime(time).date()
}

/// Keeps what was used, and what the trail counts beside.
#[async_trait]
pub trait UsageLedger: Send + Sync {
    /// Adds usage: `spent` sees it at once, the disk a moment later.
    fn add(&self, key: &UsageKey, usage: &Usage);
    /// What an account used on a day, measured only; from memory.
    fn spent(&self, account: &Account, day: Date) -> Usage;
    /// Usage and counts by group.
    async fn totals(&self, query: &UsageQuery) -> Result<UsageTotals, StoreError>;
    /// The number of the first record of a trail that is not counted.
    async fn counted(&self, trail: &str) -> Result<u64, StoreError>;
    /// Adds what the records of a range of a trail told, and notes that they
    /// are counted: both or neither, and once however often it is asked for.
    async fn count(
        &self,
        trail: &str,
        range: Range<u64>,
        counts: &HashMap<ActivityKey, Tally>,
    ) -> Result<(), StoreError>;
    /// Forgets days before this one; how many rows they were.
    async fn forget(&self, before: Date) -> Result<usize, StoreError>;
}
