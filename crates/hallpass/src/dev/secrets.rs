//! The secrets of a development server, made once and kept.

use std::path::Path;

use hallpass_core::{ids::hex, ports::Ids};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    cli::Stop,
    wiring::{clock::SystemIds, private_file},
};

/// Where they are, within the data directory.
pub(crate) const DIR: &str = "secrets";
/// What the app signs its tokens with.
pub(crate) const JWT: &str = "jwt";
/// What the app seals its sessions with.
pub(crate) const SESSION: &str = "session";
/// The key the simulated OpenAI accepts.
const STANDARD_KEY: &str = "standard-key";
/// Where the database is that keeps what lasts.
pub(crate) const DURABLE: &str = "durable";
/// A service's and an operator's API keys.
pub(crate) const SERVICE_KEY: &str = "service-key";
pub(crate) const ADMIN_KEY: &str = "admin-key";

/// The kept secrets.
pub(crate) struct Secrets {
    dir: std::path::PathBuf,
    jwt: SecretString,
    session: SecretString,
    standard_key: SecretString,
}

impl Secrets {
    /// Reads the secrets, making those that are not there.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Stop> {
        let dir = data_dir.join(DIR);
        private_file::create_dir(&dir)?;
        Ok(Self {
            jwt: kept(&dir.join(JWT), "")?,
            session: kept(&dir.join(SESSION), "")?,
            standard_key: kept(&dir.join(STANDARD_KEY), "sk-sim-")?,
            dir,
        })
    }

    /// What the app signs its tokens with.
    pub(crate) const fn jwt(&self) -> &SecretString {
        &self.jwt
    }

    /// What the app seals its sessions with.
    pub(crate) const fn session(&self) -> &SecretString {
        &self.session
    }

    /// The key the simulated OpenAI accepts.
    pub(crate) fn standard_key(&self) -> SecretString {
        self.standard_key.clone()
    }

    /// A kept API key's text, if it was made before.
    pub(crate) fn api_key(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.dir.join(name)).ok()
    }

    /// Keeps an API key's text.
    pub(crate) fn keep_api_key(&self, name: &str, text: &str) -> Result<(), Stop> {
        Ok(private_file::write(&self.dir.join(name), text.as_bytes())?)
    }
}

fn kept(path: &Path, prefix: &str) -> Result<SecretString, Stop> {
    if let Ok(text) = std::fs::read_to_string(path) {
        return Ok(SecretString::from(text));
    }
    let mut random = Zeroizing::new([0; 32]);
    SystemIds.fill(random.as_mut_slice());
    let text = SecretString::from(format!("{prefix}{}", hex(random.as_slice())));
    private_file::write(path, text.expose_secret().as_bytes())?;
    Ok(text)
}
