//! The only way from a request to a client secret.
//!
//! ```text
//! authenticate ─▶ open audit ─▶ authorise ─▶ admit ─▶ mint ─▶ record ─▶ close audit
//!  Authenticated   AuditSlip     Permit     Admission  Minted  Recorded     Issued
//! ```
//!
//! Each step consumes the value on its left, and the values are made only here,
//! so a handler that forgets a step does not compile. A refusal leaves one
//! final record. A mint leaves an intent, durable before OpenAI is asked, and
//! an outcome, durable before the secret leaves; where either can't be
//! written there is no secret.

mod attempt;
mod broker;
mod issued;
mod steps;

pub use attempt::Attempt;
pub use broker::{Broker, Parts};
pub use issued::Issued;
pub use steps::{Admission, AuditSlip, Authenticated, Minted, Permit, Recorded};
