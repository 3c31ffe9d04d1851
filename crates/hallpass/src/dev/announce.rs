//! Tells people and programs where everything is.

use std::{net::SocketAddr, path::Path};

use serde_json::json;

use super::{Sockets, certificate::Certificate, credentials::Credentials};
use crate::{
    cli::{
        Stop,
        dev::{Dev, Upstream},
        say,
    },
    wiring::private_file,
};

/// The file programs read, within the data directory.
const FILE: &str = "dev.json";

/// Where everything listens.
pub(crate) struct Addresses {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    tls: SocketAddr,
    simulator: Option<SocketAddr>,
}

impl Addresses {
    /// The addresses of bound sockets.
    pub(crate) fn of(sockets: &Sockets, dev: &Dev) -> Result<Self, Stop> {
        debug_assert_eq!(dev.upstream == Upstream::Sim, sockets.simulator.is_some());
        Ok(Self {
            public: sockets.public.address,
            admin: sockets.admin.address,
            tls: sockets.tls.address,
            simulator: sockets
                .simulator
                .as_ref()
                .map(tokio::net::TcpListener::local_addr)
                .transpose()?,
        })
    }

    /// Where the broker is reached.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// Where its base of OpenAI's routes is.
    pub(crate) fn upstream_base(&self) -> String {
        self.simulator.map_or_else(
            || "https://api.openai.com/v1".to_owned(),
            |at| format!("http://{at}/v1"),
        )
    }

    /// The upstream's name in the configuration.
    pub(crate) const fn upstream_name(&self) -> &'static str {
        if self.simulator.is_some() {
            "simulator"
        } else {
            "openai"
        }
    }

    /// The origins a browser may call this server at.
    pub(crate) fn own_origins(&self) -> Vec<String> {
        let at = |scheme: &str, address: SocketAddr| {
            [
                format!("{scheme}://{address}"),
                format!("{scheme}://localhost:{}", address.port()),
            ]
        };
        [at("http", self.public), at("https", self.tls)].concat()
    }

    /// Where the simulator is reached; none where the real OpenAI is asked.
    pub(crate) fn simulator_url(&self) -> Option<String> {
        self.simulator.map(|at| format!("http://{at}"))
    }

    fn upstream_url(&self) -> String {
        self.simulator_url()
            .unwrap_or_else(|| "https://api.openai.com".to_owned())
    }
}

/// Writes `dev.json`.
pub(crate) fn write_file(
    data_dir: &Path,
    addresses: &Addresses,
    certificate: &Certificate,
    credentials: &Credentials,
) -> Result<(), Stop> {
    let file = json!({
        "url": addresses.url(),
        "tls_url": format!("https://{}", addresses.tls),
        "ca_file": certificate.ca_file,
        "admin_url": format!("http://{}", addresses.admin),
        "upstream_url": addresses.upstream_url(),
        "api_key": credentials.api_key,
        "admin_key": credentials.admin_key,
        "user_jwt": credentials.user_jwt,
        "session_cookie": { "name": credentials.cookie_name, "value": credentials.cookie_value },
    });
    Ok(private_file::write(
        &data_dir.join(FILE),
        format!("{file:#}\n").as_bytes(),
    )?)
}

/// Tells a person what to do next.
pub(crate) fn banner(
    dev: &Dev,
    data_dir: &Path,
    addresses: &Addresses,
    certificate: &Certificate,
    credentials: &Credentials,
) {
    let url = addresses.url();
    let upstream = match dev.upstream {
        Upstream::Sim => format!(
            "{} (simulated OpenAI: no key, no cost)",
            addresses.upstream_url()
        ),
        Upstream::Openai => format!(
            "{} (OpenAI itself: sessions cost money)",
            addresses.upstream_url()
        ),
    };
    say(format_args!(
        "Hallpass is ready.

  interview  {url}/demo/   (a page to try it on)
  broker     {url}
  over TLS   https://{tls}   (trust {ca})
  console    http://{admin}/console/   (sign in with admin_key of dev.json)
  upstream   {upstream}
  documents  {url}/docs
  data       {data}   (dev.json has all addresses and credentials, dev.toml the configuration)

Get a client secret as the app's user would:

  curl -sS -X POST {url}/api/generate-client-secret -H 'Authorization: Bearer {jwt}'
",
        tls = addresses.tls,
        admin = addresses.admin,
        ca = certificate.ca_file.display(),
        data = data_dir.display(),
        jwt = credentials.user_jwt,
    ));
    say(next(dev.upstream, data_dir));
}

fn next(upstream: Upstream, data_dir: &Path) -> String {
    let audit = data_dir.join("audit");
    let audit = audit.display();
    let program = program();
    let real = match upstream {
        Upstream::Sim => {
            format!("  OPENAI_API_KEY=… {program} dev --upstream openai   with a real key\n")
        }
        Upstream::Openai => String::new(),
    };
    format!(
        "Next:

  {program} audit tail {audit}   what was recorded
{real}  Ctrl-C ends it; the next start on the same data directory goes on where this one ended.
"
    )
}

/// This program as it was called, so that a line can be pasted where it may
/// not be on the path.
fn program() -> String {
    let called = std::env::args().next();
    called.unwrap_or_else(|| "hallpass".to_owned())
}
