//! Routers, extractors, handlers and the accept loop.
//!
//! A request passes [`serve`] (sockets, deadlines, TLS), the observing layer
//! (id, log line, metrics, headers, cross-origin rules), its handler, and from
//! there the core's pipeline. Handlers read and write wire types and decide
//! nothing.

mod answer;
mod app;
mod body;
mod credentials;
mod cross_origin;
mod document;
mod door;
mod error_page;
mod facts;
pub mod front_guard;
mod handlers;
mod headers;
mod idempotency;
mod limit_headers;
mod observe;
mod query;
mod relay;
mod replay;
mod router;
pub mod serve;

pub use answer::Told;
pub use app::{App, AppParts, BreakerWish, Health, Unwell, UpstreamStatus};
pub use cross_origin::{Origins, OriginsError};
pub use document::openapi_json;
pub use door::Capacity;
pub use handlers::audit::{AuditQuery, FoundRecord, TrailSearch};
pub use relay::{DialledSocket, Dialler, Relay};
pub use router::{admin, public};
