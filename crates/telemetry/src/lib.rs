//! Logs and metrics: what the other crates tell, written and counted.

mod json_lines;
mod line_writer;
mod logs;
mod metrics;

pub use logs::{LogFormat, LogGuard, LogSettings, LogSetupError, start as start_logs};
pub use metrics::{
    AlertMetrics, AuditMetrics, Breaker, Delivery, HttpMetrics, Metrics, MintMetrics,
    SessionMetrics, StoreMetrics, UpstreamMetrics, table as metrics_table,
};
