//! Calls: WebRTC sessions that Hallpass makes for a browser and can hang up.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    audit::UpstreamFacts,
    ids::{GrantId, LiveId, RoleName},
    journal::Journal,
    ports::{MintFailure, StoreError},
    profile::SessionConfig,
};

/// What OpenAI is asked for.
#[derive(Debug, Clone)]
pub struct CallOrder {
    /// The browser's offer.
    pub offer: String,
    /// The whole session configuration: the profile's with allowed overrides.
    pub session: SessionConfig,
    /// The keyed hash of the subject, for `OpenAI-Safety-Identifier`.
    pub safety_identifier: String,
    /// The data channel both ends agreed on beforehand: the query's `dcid`.
    pub channel_id: Option<u16>,
    /// How long making the call may take, every attempt of it together.
    pub deadline: Duration,
    /// Where attempts are noted that another one followed.
    pub journal: Journal,
}

/// Where a call is, for whoever has to reach it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlace {
    /// OpenAI's id of it: `rtc_…`.
    pub call_id: String,
    /// The upstream it was made at, by its name in the configuration.
    pub upstream: Arc<str>,
    /// The public mark of the standard key it was made with. Only that key's
    /// account may listen to it and hang it up.
    pub key: Arc<str>,
}

/// A call OpenAI made.
#[derive(Debug)]
pub struct MadeCall {
    /// Where it is.
    pub place: CallPlace,
    /// OpenAI's answer to the offer.
    pub answer: String,
    /// What the call left behind.
    pub upstream: UpstreamFacts,
}

/// Why nothing is heard of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// There is no such call: not yet, or not any more.
    #[error("there is no such call at OpenAI")]
    NoCall,
    /// OpenAI refuses the key.
    #[error("OpenAI refuses the key: status {0}")]
    Refused(u16),
    /// OpenAI can't be reached, or is unwell.
    #[error("OpenAI can't be listened to: {0}")]
    Unreachable(String),
}

/// What a sideband heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A server event.
    Event(String),
    /// OpenAI closed the sideband.
    Closed {
        /// The close code.
        code: u16,
    },
    /// The connection broke.
    Lost,
}

/// A connection that hears every server event of a call.
#[async_trait]
pub trait Sideband: Send {
    /// What comes next; may be dropped and called again.
    async fn hear(&mut self) -> Heard;
    /// Sends a client event; false where the connection is gone.
    async fn say(&mut self, event: &str) -> bool;
}

/// A call could not be hung up; it may still be live.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the call can't be hung up: {0}")]
pub struct HangUpError(pub String);

/// Makes calls at OpenAI, listens to them and hangs them up.
#[async_trait]
pub trait CallMaker: Send + Sync {
    /// Makes a call.
    async fn make(&self, order: CallOrder) -> Result<MadeCall, Box<MintFailure>>;
    /// Listens to a call.
    async fn listen(&self, place: &CallPlace) -> Result<Box<dyn Sideband>, ListenError>;
    /// Hangs up. A call that is over, or that OpenAI knows not, is hung up.
    async fn hang_up(&self, place: &CallPlace) -> Result<(), HangUpError>;
}

/// A call that is not known to be over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingCall {
    /// The live session it is.
    pub session: LiveId,
    /// The grant it was opened with.
    pub grant: GrantId,
    /// Where it is.
    pub place: CallPlace,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// What it takes to go on with it; none of one that an earlier release
    /// kept, which can only be hung up.
    pub terms: Option<CallTerms>,
}

/// What another process needs to know to carry a call on as it was allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTerms {
    /// The role that allowed it.
    pub role: RoleName,
    /// Its session as JSON: the profile's with allowed overrides.
    pub session: String,
    /// When it began.
    pub started_at: Timestamp,
}

/// Keeps the calls that are not known to be over, durably: whoever has the
/// call's id can end it, also after a crash.
#[async_trait]
pub trait StandingCalls: Send + Sync {
    /// Keeps a call; durable when this returns.
    async fn keep(&self, call: &StandingCall) -> Result<(), StoreError>;
    /// Forgets a call that is over; one that is another process's by now stays.
    async fn forget(&self, call_id: &str) -> Result<(), StoreError>;
    /// Every call that is kept, oldest first.
    async fn all(&self) -> Result<Vec<StandingCall>, StoreError>;
    /// Takes over the calls whose process has died; nobody else gets them while
    /// this one lives. What a process that only seemed dead still counts of
    /// their usage counts no more.
    async fn adopt(&self) -> Result<Vec<StandingCall>, StoreError>;
    /// Calls this process had that another has taken over, each told once.
    async fn lost(&self) -> Result<Vec<String>, StoreError>;
}
