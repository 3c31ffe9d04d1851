//! The keys of the trail: what signs it, and what hides values in it.

use std::{io::Read, path::PathBuf, sync::Arc};

use hallpass_audit::{CheckpointKey, Trail, TrailSettings};
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    ports::AuditLog,
};

use super::{Source, Stop, say};
use crate::{
    cli::block_on,
    wiring::{
        clock::{SystemClock, now},
        install,
    },
};

/// Which installation.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    #[command(flatten)]
    source: Source,
    /// The data directory, where there is no configuration file
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data_dir: Option<PathBuf>,
}

impl Where {
    /// The data directory and the trail's.
    fn dirs(&self) -> Result<(PathBuf, PathBuf), Stop> {
        if let Some(dir) = &self.data_dir {
            return Ok((dir.clone(), dir.join("audit")));
        }
        let config = self.source.load()?.config;
        Ok((config.server.data_dir, config.audit.dir))
    }
}

pub(super) fn public_key(place: &Where) -> Result<(), Stop> {
    let (data_dir, audit_dir) = place.dirs()?;
    let seed = install::read_checkpoint_key(&data_dir)?;
    let uid = hallpass_audit::chain_uid(&audit_dir)?.ok_or_else(|| {
        Stop::usage("the trail has no record yet. Start the server once, then ask again.")
    })?;
    say(CheckpointKey::new(seed.as_slice(), &uid)?.public());
    Ok(())
}

pub(super) fn hash(place: &Where) -> Result<(), Stop> {
    let (data_dir, _) = place.dirs()?;
    let mut value = String::new();
    std::io::stdin().read_to_string(&mut value)?;
    let value = value.trim_end_matches('\n').as_bytes();
    for hasher in install::audit_hashers(&data_dir)? {
        say(hasher.hash(value).to_hex());
    }
    Ok(())
}

/// Records the rotation first: a key that was never recorded is never used.
pub(super) fn rotate(place: &Where) -> Result<(), Stop> {
    let (data_dir, audit_dir) = place.dirs()?;
    let next = install::audit_generation(&data_dir) + 1;
    let version = env!("CARGO_PKG_VERSION");
    let settings = TrailSettings::new(audit_dir, Arc::new(SystemClock), version);
    let (trail, _) = Trail::open(settings)?;
    let mut event = AuditEvent::outcome(now(), Action::AuditKeyRotate, Outcome::Success);
    event.facts = vec![("generation", next.to_string())];
    block_on(async { Ok(trail.append(event).await?) })?;
    let made = install::rotate_audit_key(&data_dir)?;
    trail.close();
    say(format_args!(
        "Values are hashed under key {made} from the next start of the server on. `hallpass audit hash` still finds what earlier keys hashed."
    ));
    Ok(())
}
