//! What an address of Redis says after its question mark.

use std::path::PathBuf;

use redis::{RedisResult, TlsCertificates};
use url::form_urlencoded;

use crate::address::InvalidAddress;

/// The parameters of an address.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whose certificates are trusted in place of the system's.
    ca_file: Option<PathBuf>,
    pub(crate) sentinel_user: Option<String>,
    pub(crate) sentinel_password: Option<String>,
}

impl Options {
    /// Reads them; there is none that is passed over in silence.
    pub(crate) fn parse(query: &str, tls: bool, sentinel: bool) -> Result<Self, InvalidAddress> {
        let mut options = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                return Err(InvalidAddress::Parameter);
            }
            match &*name {
                "ca_file" if tls => options.ca_file = Some(PathBuf::from(&*value)),
                "sentinel_user" if sentinel => options.sentinel_user = Some(value.into_owned()),
                "sentinel_password" if sentinel => {
                    options.sentinel_password = Some(value.into_owned());
                }
                _ => return Err(InvalidAddress::Parameter),
            }
        }
        match options.sentinel_user.is_some() && options.sentinel_password.is_none() {
            true => Err(InvalidAddress::Parameter),
            false => Ok(options),
        }
    }

    /// Whom to trust; none for whom the system trusts. Read for each
    /// connection, so that a file may be replaced.
    pub(crate) fn certificates(&self) -> RedisResult<Option<TlsCertificates>> {
        let Some(file) = &self.ca_file else {
            return Ok(None);
        };
        Ok(Some(TlsCertificates {
            client_tls: None,
            root_cert: Some(std::fs::read(file)?),
        }))
    }
}
