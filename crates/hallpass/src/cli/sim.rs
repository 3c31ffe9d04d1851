//! `hallpass sim`: the simulated OpenAI alone.

use std::net::SocketAddr;

use hallpass_sim::{Simulator, SimulatorConfig};
use tokio::net::TcpListener;

use super::{Stop, block_on, say};
use crate::wiring::{clock, lifecycle::Stopping};

/// Serve the simulated OpenAI
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hallpass sim
  curl -X POST http://127.0.0.1:8789/_sim/faults -d '{\"route\":\"client_secrets\",\"kind\":\"status\",\"status\":503}'")]
pub(crate) struct Sim {
    /// Where to listen; loopback only
    #[arg(long, default_value = "127.0.0.1:8789")]
    listen: SocketAddr,
    /// Accept only this standard key; may be given several times
    #[arg(
        long,
        value_name = "KEY",
        env = "HALLPASS_SIM_KEY",
        hide_env_values = true
    )]
    key: Vec<String>,
    /// Longest life of a session, in seconds
    #[arg(long, default_value_t = 3600)]
    session_seconds: u64,
}

impl Sim {
    pub(crate) fn run(self) -> Result<(), Stop> {
        if !self.listen.ip().is_loopback() {
            return Err(Stop::usage(
                "the simulator listens on loopback only: it lets anyone break it",
            ));
        }
        block_on(async {
            let stopping = Stopping::on_signals()?;
            let mut config = SimulatorConfig::new(clock::system_time());
            config.standard_keys = self.key;
            config.session_limit = std::time::Duration::from_secs(self.session_seconds);
            let listener = TcpListener::bind(self.listen).await?;
            let address = listener.local_addr()?;
            say(format_args!(
                "The simulated OpenAI is at http://{address}/v1 and its controls at http://{address}/_sim/"
            ));
            Simulator::new(config)
                .serve(listener, None, stopping.soft.clone().cancelled_owned())
                .await;
            Ok(())
        })
    }
}
