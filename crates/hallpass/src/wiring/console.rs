//! The console: its routes, and the trail as it sees it.

mod desk;

use std::{sync::Arc, time::Duration};

use axum::Router;
use hallpass_audit::Progress;
use hallpass_config::Config;
use hallpass_console::{ConsoleParts, Timeline};
use hallpass_http::App;

use self::desk::Desk;

/// How long an operator may do nothing. An open page that keeps itself current
/// counts as doing something.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a sign-in lasts at most: a working day.
const LIFE: Duration = Duration::from_secs(8 * 3600);

/// The console's routes.
pub(crate) fn routes(
    config: &Config,
    progress: &Progress,
    timeline: &Arc<Timeline>,
) -> Router<App> {
    hallpass_console::routes(ConsoleParts {
        timeline: timeline.clone(),
        trail: Arc::new(Desk::new(config.audit.dir.clone(), progress.clone())),
        idle: IDLE,
        life: LIFE,
    })
}
