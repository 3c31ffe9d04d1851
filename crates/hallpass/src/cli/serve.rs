//! `hallpass serve`: production.

use tokio::signal::unix::{SignalKind, signal};

use super::{Stop, block_on, config::Source};
use crate::wiring::{lifecycle, reload::Again, server};

/// Serve in production
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hallpass serve --config hallpass.toml
  OPENAI_API_KEY=… hallpass serve --config hallpass.toml --set server.listen=0.0.0.0:8787")]
pub(crate) struct Serve {
    #[command(flatten)]
    source: Source,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Stop> {
        let loaded = self.source.load()?;
        let _log = server::start_log(&loaded.config)?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        block_on(async {
            let stopping = lifecycle::Stopping::on_signals()?;
            let again = Again {
                hangup: signal(SignalKind::hangup())?,
                load: Box::new(move || self.source.load()),
            };
            let extras = server::Extras {
                again: Some(again),
                ..server::Extras::default()
            };
            let server = server::Server::build(loaded, extras).await?;
            server.run(stopping).await
        })
    }
}
