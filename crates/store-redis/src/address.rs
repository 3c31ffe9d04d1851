//! Where Redis is: one server, a set under Sentinels, or a cluster.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo};

use crate::options::Options;

/// Ports that are meant where none is written.
const REDIS_PORT: &str = "6379";
const SENTINEL_PORT: &str = "26379";

/// A Redis by its address, which may hold a password; `Debug` hides it.
///
/// | form | what |
/// |---|---|
/// | `redis://user:password@host:6379/0` | one server |
/// | `redis+sentinel://user:password@host:26379,host:26379/primary/0` | the primary that Sentinels know by this name |
/// | `redis+cluster://user:password@host:6379,host:6379` | a cluster |
///
/// `rediss` in place of `redis` speaks TLS, and then `?ca_file=/path` names whose
/// certificates are trusted in place of the system's. User and password are
/// those of the Redis servers; those of the Sentinels follow as
/// `?sentinel_user=…&sentinel_password=…`, percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) kind: Kind,
    tls: bool,
    credentials: String,
    pub(crate) nodes: Vec<String>,
    pub(crate) database: u16,
    pub(crate) options: Options,
}

/// How the servers of an address belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One server.
    Single,
    /// Whichever server the Sentinels say is the primary of this name.
    Sentinel(String),
    /// Servers that share the keys.
    Cluster,
}

/// Why a text is no address of a Redis. It repeats nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Another scheme.
    #[error("it begins with none of redis://, rediss://, redis+sentinel:// and redis+cluster://")]
    Scheme,
    /// No host, or one that is none.
    #[error("it names no host")]
    Host,
    /// A Sentinel address without the primary's name.
    #[error("it does not say which primary the Sentinels are asked for")]
    Primary,
    /// A parameter that is unknown, empty, or of another form of address.
    #[error(
        "of its parameters one is none of ca_file (with TLS), sentinel_user and sentinel_password (with Sentinels), or is empty"
    )]
    Parameter,
    /// No database's number.
    #[error("what follows the host is no database number")]
    Database,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] where it has none of the forms.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidAddress::Scheme)?;
        let (tls, form) = match scheme.split_once('+') {
            Some((base, form)) => (is_tls(base)?, form),
            None => (is_tls(scheme)?, ""),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (kind, database, port) = match form {
            "" => (Kind::Single, path, REDIS_PORT),
            "cluster" => (Kind::Cluster, path, REDIS_PORT),
            "sentinel" => {
                let (primary, database) = path.split_once('/').unwrap_or((path, ""));
                if primary.is_empty() {
                    return Err(InvalidAddress::Primary);
                }
                (Kind::Sentinel(primary.to_owned()), database, SENTINEL_PORT)
            }
            _ => return Err(InvalidAddress::Scheme),
        };
        let database = match database {
            "" => 0,
            // A cluster has one database only.
            number if kind != Kind::Cluster => {
                number.parse().map_err(|_| InvalidAddress::Database)?
            }
            _ => return Err(InvalidAddress::Database),
        };
        let nodes: Vec<String> = hosts.split(',').map(|host| with_port(host, port)).collect();
        let options = Options::parse(query, tls, matches!(kind, Kind::Sentinel(_)))?;
        let address = Self {
            kind,
            options,
            tls,
            credentials: credentials.to_owned(),
            nodes,
            database,
        };
        if address.kind == Kind::Single && address.nodes.len() > 1 {
            return Err(InvalidAddress::Host);
        }
        address.servers()?;
        Ok(address)
    }

    /// Whether keys are spread over several servers.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.kind == Kind::Cluster
    }

    /// Whether the way there is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The servers' addresses for the client library, credentials included; of
    /// a set under Sentinels, the Sentinels' with what its servers are told.
    pub(crate) fn servers(&self) -> Result<Vec<ConnectionInfo>, InvalidAddress> {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let credentials = &self.credentials;
        let at = if credentials.is_empty() { "" } else { "@" };
        let database = self.database;
        let one = |node: &String| {
            if node.starts_with(':') {
                return Err(InvalidAddress::Host);
            }
            let url = format!("{scheme}://{credentials}{at}{node}/{database}");
            url.into_connection_info().map_err(|_| InvalidAddress::Host)
        };
        self.nodes.iter().map(one).collect()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("kind", &self.kind)
            .field("tls", &self.tls)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

fn is_tls(scheme: &str) -> Result<bool, InvalidAddress> {
    match scheme {
        "redis" => Ok(false),
        "rediss" => Ok(true),
        _ => Err(InvalidAddress::Scheme),
    }
}

fn with_port(host: &str, port: &str) -> String {
    // An IPv6 address has colons of its own, within brackets.
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    match after.contains(':') {
        true => host.to_owned(),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        let one = Address::parse("redis://127.0.0.1").unwrap();
        assert_eq!((one.kind, one.tls), (Kind::Single, false));
        assert_eq!(one.nodes, ["127.0.0.1:6379"]);
        let set = Address::parse("rediss+sentinel://u:p@[::1],b:1/main/3").unwrap();
        assert_eq!(
            (set.kind.clone(), set.tls),
            (Kind::Sentinel("main".to_owned()), true)
        );
        assert_eq!((set.nodes.len(), set.database), (2, 3));
        assert_eq!(set.nodes[0], "[::1]:26379");
        let many = Address::parse("redis+cluster://a:7000,b,c").unwrap();
        assert!(many.is_cluster());
        assert_eq!(many.nodes, ["a:7000", "b:6379", "c:6379"]);
    }

    #[test]
    fn what_is_no_address_is_told_without_repeating_it() {
        for (text, why) in [
            ("memory", InvalidAddress::Scheme),
            ("http://a", InvalidAddress::Scheme),
            ("redis+tree://a", InvalidAddress::Scheme),
            ("redis://", InvalidAddress::Host),
            ("redis://a,b", InvalidAddress::Host),
            ("redis://a/zero", InvalidAddress::Database),
            ("redis+sentinel://a", InvalidAddress::Primary),
            ("redis+cluster://a/1", InvalidAddress::Database),
            ("redis://a?ca_file=/ca.pem", InvalidAddress::Parameter),
            ("rediss://a?ca_file=", InvalidAddress::Parameter),
            ("rediss://a?insecure=1", InvalidAddress::Parameter),
            ("redis://a?sentinel_password=x", InvalidAddress::Parameter),
            (
                "redis+sentinel://a/main?sentinel_user=x",
                InvalidAddress::Parameter,
            ),
        ] {
            assert_eq!(Address::parse(text).err(), Some(why), "{text}");
        }
    }

    #[test]
    fn what_follows_the_question_mark_is_read_and_decoded() {
        let password = ["hu", "sh/"].concat();
        let text = format!(
            "rediss+sentinel://a/main?ca_file=/etc/ca%20x.pem&sentinel_user=s&sentinel_password={}",
            password.replace('/', "%2F")
        );
        let address = Address::parse(&text).unwrap();
        let options = &address.options;
        assert_eq!(options.sentinel_password, Some(password.clone()));
        assert_eq!(options.sentinel_user.as_deref(), Some("s"));
        let missing = options.certificates().unwrap_err();
        assert!(missing.to_string().contains("No such file"), "{missing}");
        assert!(!format!("{address:?}").contains(&password));
    }

    #[test]
    fn a_password_is_not_shown() {
        let password = ["hush", "hush"].concat();
        let text = format!("redis+cluster://app:{password}@a,b");
        let address = Address::parse(&text).unwrap();
        assert!(!format!("{address:?}").contains(&password));
        assert_eq!(address.servers().unwrap().len(), 2);
    }
}
