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
//!
//! The whole way, as a handler walks it:
//!
//! ```
//! # use hallpass_core::{pipeline::{AuditSlip, Issued}, policy::MintAsk, refusal::Refusal};
//! async fn handler(slip: AuditSlip<'_>, ask: &MintAsk) -> Result<Issued, Refusal> {
//!     let permit = slip.authorise(ask).await?;
//!     let admission = permit.admit().await?;
//!     let minted = admission.mint().await?;
//!     minted.record().await?.close_audit().await
//! }
//! ```
//!
//! Nobody mints who was not authorised, or not admitted:
//!
//! ```compile_fail,E0599
//! # use hallpass_core::pipeline::AuditSlip;
//! async fn handler(slip: AuditSlip<'_>) {
//!     let _ = slip.mint().await;
//! }
//! ```
//!
//! ```compile_fail,E0599
//! # use hallpass_core::pipeline::Permit;
//! async fn handler(permit: Permit<'_>) {
//!     let _ = permit.mint().await;
//! }
//! ```
//!
//! One admission is one mint, and a secret without its outcome stays within:
//!
//! ```compile_fail,E0382
//! # use hallpass_core::pipeline::Admission;
//! async fn handler(admission: Admission<'_>) {
//!     let _ = admission.mint().await;
//!     let _ = admission.mint().await;
//! }
//! ```
//!
//! ```compile_fail,E0616
//! # use hallpass_core::{pipeline::Minted, ports::MintedSecret};
//! fn handler(minted: Minted<'_>) -> MintedSecret {
//!     minted.minted
//! }
//! ```

mod attempt;
mod broker;
mod claim;
mod interviews;
mod issued;
mod live;
mod minted;
mod open;
mod opened;
mod orphan;
mod owed;
mod refresh;
mod resume;
mod revoked;
mod sessions;
mod steps;
mod taken;
mod withdraw;

pub use attempt::Attempt;
pub use broker::{Broker, Parts};
pub use issued::Issued;
pub use minted::{Minted, Recorded};
pub use open::PassUse;
pub use opened::Opened;
pub use refresh::RefreshAsk;
pub use resume::NotResumed;
pub use sessions::SessionParts;
pub use steps::{Admission, AuditSlip, Authenticated, Permit};
pub use withdraw::Withdrawal;
