//! The secret of one installation, made at the first start and kept.

use std::path::{Path, PathBuf};

use hallpass_config::section;
use hallpass_core::{
    hash::{Hasher, InstallKey, Purpose},
    ports::Ids,
};
use zeroize::Zeroizing;

use super::{clock::SystemIds, private_file};
use crate::cli::Stop;

/// The file within the data directory.
const FILE: &str = "install.key";
/// The signing key of the trail's checkpoints, within the data directory.
const CHECKPOINT_FILE: &str = "checkpoint.key";

/// Reads the key, making it where there is none: from the file all replicas
/// have, where the configuration names one.
pub(crate) fn open_key(server: &section::Server) -> Result<InstallKey, Stop> {
    let own = server.data_dir.join(FILE);
    let Some(given) = &server.install_key_file else {
        return open_own_key(&server.data_dir);
    };
    let bytes = Zeroizing::new(read_secret(given)?);
    if !own.exists() {
        private_file::create_dir(&server.data_dir)
            .map_err(|error| cant("make the data directory", &server.data_dir, &error))?;
        private_file::write(&own, bytes.as_slice()).map_err(|error| cant("write", &own, &error))?;
    }
    if *Zeroizing::new(read_secret(&own)?) != *bytes {
        return Err(Stop::usage(format!(
            "{} holds another key than {}, under which this data directory was begun. Keep the one; without it no API key is recognised.",
            given.display(),
            own.display()
        )));
    }
    Ok(InstallKey::new(*bytes))
}

/// Reads the key of a data directory, making it where there is none.
pub(crate) fn open_own_key(data_dir: &Path) -> Result<InstallKey, Stop> {
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

/// The secret the trail's checkpoints are signed with, made where there is none.
pub(crate) fn open_checkpoint_key(data_dir: &Path) -> Result<Zeroizing<[u8; 32]>, Stop> {
    let path = data_dir.join(CHECKPOINT_FILE);
    if !path.exists() {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemIds.fill(bytes.as_mut_slice());
        private_file::write(&path, bytes.as_slice())
            .map_err(|error| cant("write", &path, &error))?;
    }
    read_checkpoint_key(data_dir)
}

/// The secret the trail's checkpoints are signed with.
pub(crate) fn read_checkpoint_key(data_dir: &Path) -> Result<Zeroizing<[u8; 32]>, Stop> {
    read_secret(&data_dir.join(CHECKPOINT_FILE)).map(Zeroizing::new)
}

/// Hashes sensitive values for the trail: under the newest key.
pub(crate) fn audit_hasher(data_dir: &Path) -> Result<Hasher, Stop> {
    let newest = audit_hashers(data_dir)?.into_iter().next();
    newest.ok_or_else(|| Stop::usage("the installation has no key"))
}

/// The hashers of every key there was, newest first. The first of all is the
/// installation's own; each rotation adds a file beside it.
pub(crate) fn audit_hashers(data_dir: &Path) -> Result<Vec<Hasher>, Stop> {
    let mut hashers = vec![read_key(data_dir)?.hasher(Purpose::Audit)];
    for generation in 2..=audit_generation(data_dir) {
        let key = InstallKey::new(read_secret(&audit_key(data_dir, generation))?);
        hashers.push(key.hasher(Purpose::Audit));
    }
    hashers.reverse();
    Ok(hashers)
}

/// How many keys sensitive values were hashed under.
pub(crate) fn audit_generation(data_dir: &Path) -> u32 {
    let mut generation = 1;
    while audit_key(data_dir, generation + 1).exists() {
        generation += 1;
    }
    generation
}

/// Makes the next key for sensitive values; gives its number.
pub(crate) fn rotate_audit_key(data_dir: &Path) -> Result<u32, Stop> {
    let generation = audit_generation(data_dir) + 1;
    let path = audit_key(data_dir, generation);
    let mut bytes = Zeroizing::new([0; 32]);
    SystemIds.fill(bytes.as_mut_slice());
    private_file::write(&path, bytes.as_slice()).map_err(|error| cant("write", &path, &error))?;
    Ok(generation)
}

fn audit_key(data_dir: &Path, generation: u32) -> PathBuf {
    data_dir.join(format!("audit-{generation}.key"))
}

fn read_secret(path: &Path) -> Result<[u8; 32], Stop> {
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| cant("read", path, &error))?);
    bytes.as_slice().try_into().map_err(|_| {
        Stop::usage(format!(
            "{} is not 32 bytes long. Restore it from a backup.",
            path.display()
        ))
    })
}

fn cant(what: &str, path: &Path, error: &std::io::Error) -> Stop {
    Stop::usage(format!("can't {what} {}: {error}", path.display()))
}
