//! Where client secrets come from: the simulated OpenAI, or the real one.

use std::{net::SocketAddr, sync::Arc};

use hallpass_config::Loaded;
use hallpass_sim::{Simulator, SimulatorConfig};
use rustls::ServerConfig;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Stop,
        dev::{Dev, Upstream},
    },
    wiring::clock,
};

/// The operator's own key, where the real OpenAI is asked.
pub(crate) fn openai_key(dev: &Dev) -> Result<Option<SecretString>, Stop> {
    if dev.upstream == Upstream::Sim {
        return Ok(None);
    }
    let key = std::env::var("OPENAI_API_KEY")
        .ok()
        .filter(|key| !key.trim().is_empty());
    let key = key.ok_or_else(|| {
        Stop::usage(
            "--upstream openai needs your key: OPENAI_API_KEY=… hallpass dev --upstream openai",
        )
    })?;
    Ok(Some(SecretString::from(key)))
}

/// The configuration with the key of its upstream, which is in no file.
pub(crate) fn with_key(mut loaded: Loaded, key: SecretString) -> Loaded {
    if let Some(upstream) = loaded.config.upstream.first_mut() {
        upstream.api_key = Some(key);
    }
    loaded
}

/// Binds the simulator's socket.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Stop> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Stop::usage(format!("can't listen at {address}: {error}")))
}

/// Serves the simulator, plain and over TLS on one port, until told to stop.
pub(crate) async fn simulate(
    socket: TcpListener,
    standard_key: SecretString,
    tls: Arc<ServerConfig>,
    stop: CancellationToken,
) {
    let mut config = SimulatorConfig::new(clock::system_time());
    config.standard_keys = vec![standard_key.expose_secret().to_owned()];
    Simulator::new(config)
        .serve(socket, Some(tls), stop.cancelled_owned())
        .await;
}
