//! What this replica goes by among those that share a database.

use hallpass_config::section;
use hallpass_core::{ids::hex, ports::Ids};
use hallpass_store_postgres::ReplicaName;

use super::{clock::SystemIds, private_file};
use crate::cli::Stop;

/// The file within the data directory that tells it from every other.
const FILE: &str = "replica.id";
/// Digits of the identity that a name made here has.
const NAME_DIGITS: usize = 12;

/// The name and the identity of a data directory; the identity is made once.
pub(crate) fn of(server: &section::Server) -> Result<(ReplicaName, String), Stop> {
    let path = server.data_dir.join(FILE);
    if !path.exists() {
        let mut bits = [0; 16];
        SystemIds.fill(&mut bits);
        private_file::write(&path, format!("{}\n", hex(&bits)).as_bytes())?;
    }
    let identity = std::fs::read_to_string(&path)?.trim().to_owned();
    let made = || {
        format!(
            "hallpass-{}",
            identity.get(..NAME_DIGITS).unwrap_or(&identity)
        )
    };
    let name = server.replica.clone().unwrap_or_else(made);
    let name = ReplicaName::new(name).map_err(|error| {
        Stop::usage(format!(
            "{error}. Set server.replica, or remove {} if it was edited.",
            path.display()
        ))
    })?;
    Ok((name, identity))
}
