//! One connection: to the server, to the primary, or to all of a cluster.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, RedisConnectionInfo, RedisResult, TlsCertificates, TlsMode,
    Value,
    aio::MultiplexedConnection,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

use crate::{
    address::{Address, Kind},
    dial::Stream,
};

/// A connection that any number of requests use at once.
#[derive(Clone)]
pub(crate) enum Wire {
    /// To one server.
    One(MultiplexedConnection),
    /// To a cluster; it finds the server of a key by itself.
    Cluster(ClusterConnection),
}

impl Wire {
    /// Connects; of a set under Sentinels, to whoever is its primary now.
    pub(crate) async fn connect(address: &Address, within: Duration) -> RedisResult<Self> {
        // How long an answer may take is the link's to say.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(within))
            .set_response_timeout(None);
        let certificates = address.options.certificates()?;
        match &address.kind {
            Kind::Single => {
                let mut servers = known(address.servers())?;
                let server = servers.pop().ok_or_else(no_server)?;
                let client = match certificates {
                    Some(certificates) => Client::build_with_tls(server, certificates)?,
                    None => Client::open(server)?,
                };
                let wire = client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                Ok(Self::One(wire))
            }
            Kind::Sentinel(primary) => {
                let mut client = sentinels(address, primary, certificates)?;
                let wire = client.get_async_connection_with_config(&config).await?;
                Ok(Self::One(wire))
            }
            Kind::Cluster => {
                let mut builder = ClusterClient::builder(known(address.servers())?)
                    .connection_timeout(within)
                    .response_timeout(within)
                    .retries(2);
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates);
                }
                Ok(Self::Cluster(
                    builder.build()?.get_async_connection().await?,
                ))
            }
        }
    }

    /// Speaks to one server over a connection that is open.
    pub(crate) async fn over(stream: Box<dyn Stream>) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let server = RedisConnectionInfo::default();
        let (wire, driver) =
            MultiplexedConnection::new_with_config(&server, stream, config).await?;
        tokio::spawn(driver);
        Ok(Self::One(wire))
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(wire) => command.query_async(wire).await,
            Self::Cluster(wire) => command.query_async(wire).await,
        }
    }
}

/// Who asks the Sentinels for the primary. Sentinels and servers have
/// credentials of their own; only servers have databases.
fn sentinels(
    address: &Address,
    primary: &str,
    certificates: Option<TlsCertificates>,
) -> RedisResult<SentinelClient> {
    let servers = known(address.servers())?;
    let settings = servers.first().ok_or_else(no_server)?.redis_settings();
    let (user, password) = (settings.username(), settings.password());
    let (user, password) = (user.map(str::to_owned), password.map(str::to_owned));
    let nodes = servers.iter().map(|server| server.addr().clone());
    let kind = SentinelServerType::Master;
    let mut builder = SentinelClientBuilder::new(nodes, primary, kind)?
        .set_client_to_redis_db(i64::from(address.database));
    if let Some(user) = user {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = password {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(user) = &address.options.sentinel_user {
        builder = builder.set_client_to_sentinel_username(user.clone());
    }
    if let Some(password) = &address.options.sentinel_password {
        builder = builder.set_client_to_sentinel_password(password.clone());
    }
    if address.is_tls() {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    builder.build()
}

fn known<T, E: std::fmt::Display>(found: Result<T, E>) -> RedisResult<T> {
    found.map_err(|error| {
        let kind = redis::ErrorKind::InvalidClientConfig;
        (
            kind,
            "the address of Redis is not usable",
            error.to_string(),
        )
            .into()
    })
}

fn no_server() -> redis::RedisError {
    let kind = redis::ErrorKind::InvalidClientConfig;
    (kind, "the address names no server").into()
}
