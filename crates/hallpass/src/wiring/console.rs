//! The console: its routes, and the trail as it sees it.

mod desk;
mod follow;

use std::{sync::Arc, time::Duration};

use axum::Router;
use hallpass_audit::Progress;
use hallpass_config::Config;
use hallpass_console::{ConsoleParts, Timeline};
use hallpass_http::App;
use hallpass_telemetry::Metrics;

use self::{desk::Desk, follow::Following};
use super::lifecycle::Tasks;

/// How long an operator may do nothing. An open page that keeps itself current
/// counts as doing something.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a sign-in lasts at most: a working day.
const LIFE: Duration = Duration::from_secs(8 * 3600);

/// The console's routes, and the task that counts for it.
pub(crate) fn routes(
    config: &Config,
    progress: &Progress,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) -> Router<App> {
    let timeline = Arc::new(Timeline::default());
    let dir = config.audit.dir.clone();
    let (shown, counted) = (timeline.clone(), metrics.clone());
    let following = Following::new(shown, counted, dir.clone(), progress.clone());
    tasks.spawn("console-timeline", |stop| following.run(stop));
    hallpass_console::routes(ConsoleParts {
        timeline,
        trail: Arc::new(Desk::new(dir, progress.clone())),
        idle: IDLE,
        life: LIFE,
    })
}
