//! The secret of one installation, made at the first start and kept.

use std::path::Path;

use hallpass_core::{hash::InstallKey, ports::Ids};
use zeroize::Zeroizing;

use super::{clock::SystemIds, private_file};
use crate::cli::Stop;

/// The file within the data directory.
const FILE: &str = "install.key";

/// Reads the key, making it where there is none.
pub(crate) fn open_key(data_dir: &Path) -> Result<InstallKey, Stop> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        private_file::create_dir(data_dir)
            .map_err(|error| cant("make the data directory", data_dir, &error))?;
        let mut bytes = Zeroizing::new([0; 32]);
        SystemIds.fill(bytes.as_mut_slice());
        private_file::write(&path, bytes.as_slice())
            .map_err(|error| cant("write", &path, &error))?;
    }
    read_key(data_dir)
}

/// Reads the key of an installation that was started before.
pub(crate) fn read_key(data_dir: &Path) -> Result<InstallKey, Stop> {
    let path = data_dir.join(FILE);
    let bytes = Zeroizing::new(std::fs::read(&path).map_err(|error| cant("read", &path, &error))?);
    let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| {
        Stop::usage(format!(
            "{} is not 32 bytes long. Restore it from a backup: without it no API key and no audit hash can be recognised.",
            path.display()
        ))
    })?;
    Ok(InstallKey::new(key))
}

fn cant(what: &str, path: &Path, error: &std::io::Error) -> Stop {
    Stop::usage(format!("can't {what} {}: {error}", path.display()))
}
