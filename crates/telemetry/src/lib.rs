//! Logs, metrics and traces: what the other crates tell, written, counted, sent.

mod json_lines;
mod line_writer;
mod logs;
mod metrics;
pub mod traces;

pub use logs::{LogFormat, LogGuard, LogSettings, LogSetupError, start as start_logs};
pub use metrics::{
    AlertMetrics, AuditMetrics, Breaker, Delivery, HttpMetrics, Metrics, MintMetrics,
    SessionMetrics, StoreMetrics, TraceMetrics, UpstreamMetrics, table as metrics_table,
};
