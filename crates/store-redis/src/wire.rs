//! One connection: to the server, to the primary, or to all of a cluster.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, RedisConnectionInfo, RedisResult, Value,
    aio::MultiplexedConnection,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
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
        match &address.kind {
            Kind::Single => {
                let mut servers = known(address.servers())?;
                let server = servers.pop().ok_or_else(no_server)?;
                let client = Client::open(server)?;
                let wire = client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                Ok(Self::One(wire))
            }
            Kind::Sentinel(primary) => {
                let server = known(address.servers())?.pop().ok_or_else(no_server)?;
                let settings = server.redis_settings().clone();
                let mut info =
                    SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
                if address.is_tls() {
                    info = info.set_tls_mode(redis::TlsMode::Secure);
                }
                let mut client = SentinelClient::build(
                    known(address.sentinels())?,
                    primary.clone(),
                    Some(info),
                    SentinelServerType::Master,
                )?;
                let wire = client.get_async_connection_with_config(&config).await?;
                Ok(Self::One(wire))
            }
            Kind::Cluster => {
                let client = ClusterClient::builder(known(address.servers())?)
                    .connection_timeout(within)
                    .response_timeout(within)
                    .retries(2)
                    .build()?;
                Ok(Self::Cluster(client.get_async_connection().await?))
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
