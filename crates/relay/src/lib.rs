//! A relayed WebSocket: frames spliced as bytes, events guarded and metered.
//!
//! ```text
//! browser ──frames──▶ splice (client) ──▶ OpenAI
//!    ▲                  audio: as it is      │
//!    │                  else: guard          │
//!    └──────── splice (upstream) ◀──frames───┘
//!                deltas: as they are
//!                usage: a copy to the meter
//! ```
//!
//! | module | idea |
//! |---|---|
//! | `ws` | heads, masks and closes of frames |
//! | `scan` | what an event is, from its first bytes |
//! | `splice` | one direction: what passes, what is held |
//! | `strict` | JSON with one reading |
//! | [`guard`] | every client event held to its profile |
//! | [`meter`] | usage and its price |
//! | [`call`] | a brokered call: made, watched by its sideband, hung up |
//! | [`carry()`] | two sockets, one task, until either ends |

pub mod call;
mod client;
pub mod guard;
pub mod meter;
mod scan;
mod session;
mod splice;
mod strict;
mod upstream;
pub mod ws;

use session::transcriber;
pub use session::{Buffers, Carried, Conduit, Ended, Limits, Pipe, carry};
