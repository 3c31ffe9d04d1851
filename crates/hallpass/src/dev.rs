//! `hallpass dev`: broker, simulated OpenAI and generated credentials in one
//! process, kept in one directory.

mod announce;
mod certificate;
mod credentials;
mod demo;
mod secrets;
mod settings;
mod upstream;

use std::{fs::File, net::SocketAddr, path::Path};

use hallpass_http::serve::tls::TlsReloader;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Stop, block_on, dev::Dev},
    wiring::{
        lifecycle::Stopping,
        listener::Listener,
        private_file,
        server::{self, Extras, Server},
    },
};

/// Held by the server that runs on a data directory.
const LOCK: &str = "dev.lock";

/// The four sockets of a development server.
pub(crate) struct Sockets {
    public: Listener,
    admin: Listener,
    tls: Listener,
    /// The simulated OpenAI; none where the real one is asked.
    simulator: Option<tokio::net::TcpListener>,
}

/// Runs until Ctrl-C.
pub(crate) fn run(dev: &Dev) -> Result<(), Stop> {
    let key = upstream::openai_key(dev)?;
    let made = private_file::create_dir(&dev.data_dir);
    made.map_err(|error| Stop::usage(format!("can't make {}: {error}", dev.data_dir.display())))?;
    let data_dir = dev.data_dir.canonicalize()?;
    let _lock = only_here(&data_dir)?;
    let secrets = secrets::Secrets::open(&data_dir)?;
    block_on(async {
        let stopping = Stopping::on_signals()?;
        Box::pin(serve(dev, &data_dir, &secrets, key, stopping)).await
    })
}

/// Keeps a second server from overwriting the files of one that runs.
fn only_here(data_dir: &Path) -> Result<File, Stop> {
    private_file::lock(&data_dir.join(LOCK))?.ok_or_else(|| {
        let dir = data_dir.display();
        Stop::usage(format!(
            "another hallpass dev runs on {dir}: its addresses are in {dir}/dev.json. End it first, or choose another --data-dir."
        ))
    })
}

async fn serve(
    dev: &Dev,
    data_dir: &Path,
    secrets: &secrets::Secrets,
    key: Option<SecretString>,
    stopping: Stopping,
) -> Result<(), Stop> {
    let certificate = certificate::make(data_dir)?;
    let reloader = TlsReloader::open(&certificate.cert_file, &certificate.key_file)?;
    let sockets = bind(dev, reloader.clone()).await?;
    let addresses = announce::Addresses::of(&sockets, dev)?;
    let loaded = settings::write(dev, data_dir, &addresses)?;
    let _log = server::start_log(&loaded.config)?;
    let credentials = credentials::make(&loaded.config, secrets).await?;

    // It stops last: a server that stops hangs up its calls first.
    let last = CancellationToken::new();
    let simulator = sockets.simulator.map(|socket| {
        tokio::spawn(upstream::simulate(
            socket,
            secrets.standard_key(),
            reloader.config(),
            last.clone(),
        ))
    });
    let profile = loaded.config.profiles.get(settings::DEMO_PROFILE);
    let modes = profile.map(|profile| profile.modes.clone());
    let pages = demo::routes(
        &addresses,
        &credentials,
        secrets.session(),
        modes.unwrap_or_default(),
    )?;
    let loaded = upstream::with_key(loaded, key.unwrap_or_else(|| secrets.standard_key()));
    let extras = Extras {
        tls: Some(sockets.tls),
        bound: Some((sockets.public, sockets.admin)),
        own_origins: addresses.own_origins(),
        again: None,
        pages,
    };
    let server = Server::build(loaded, extras).await?;
    announce::write_file(data_dir, &addresses, &certificate, &credentials)?;
    announce::banner(dev, data_dir, &addresses, &certificate, &credentials);
    let served = server.run(stopping.clone()).await;
    stopping.soft.cancel();
    last.cancel();
    if let Some(simulator) = simulator {
        simulator.await?;
    }
    served
}

async fn bind(dev: &Dev, tls: std::sync::Arc<TlsReloader>) -> Result<Sockets, Stop> {
    let at = |offset: u16| {
        let port = if dev.port == 0 {
            Some(0)
        } else {
            dev.port.checked_add(offset)
        };
        let port =
            port.ok_or_else(|| Stop::usage("the last of the four ports would be above 65535"));
        port.map(|port| SocketAddr::new(dev.host, port))
    };
    let simulator = match dev.upstream {
        crate::cli::dev::Upstream::Sim => Some(upstream::bind(at(2)?).await?),
        crate::cli::dev::Upstream::Openai => None,
    };
    Ok(Sockets {
        public: Listener::bind(at(0)?, None)?,
        admin: Listener::bind(at(1)?, None)?,
        simulator,
        tls: Listener::bind(at(3)?, Some(tls))?,
    })
}
