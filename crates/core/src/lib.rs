//! Values, rules, ports and the pipeline of Hallpass.
//!
//! Everything here is arithmetic, types and traits: no sockets, files, runtimes
//! or databases. The adapters in the other crates implement the traits of
//! [`ports`]; the [`pipeline`] is the only way from a request to a secret.

pub mod alert;
pub mod anomaly;
pub mod audit;
pub mod call;
pub mod caller;
pub mod code;
pub mod concurrency;
pub mod copy;
pub mod csv;
pub mod expiry;
pub mod grant;
pub mod hash;
pub mod hold;
pub mod ids;
pub mod interview;
pub mod journal;
pub mod key;
pub mod key_issuer;
pub mod live;
pub mod money;
pub mod overrides;
pub mod pass;
pub mod permission;
pub mod pipeline;
pub mod policy;
pub mod ports;
pub mod profile;
pub mod quota;
pub mod refusal;
pub mod request;
pub mod revocation;
pub mod role;
pub mod secret;
pub mod usage;

pub use jiff::Timestamp;
