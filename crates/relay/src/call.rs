//! A brokered call: made with the standard key, watched, ended.
//!
//! The media goes from the browser to OpenAI and never comes here. What comes
//! here is the offer, and every event of the call by a sideband.

mod desk;
mod drift;
mod hang_up;
mod takeover;
mod watch;

pub use desk::{AnsweredCall, CallAsk, CallDesk, CallParts};
pub use drift::{Drift, Pinned};
pub use watch::Patience;
