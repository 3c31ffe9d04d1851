//! Archiving, bringing back, and holding segments.

use std::{path::PathBuf, sync::Arc};

use hallpass_audit::{Erasure, Keeper, LEGAL_HOLD, Trail, TrailSettings};
use hallpass_core::Timestamp;

use super::{Source, Stop, existing, say};
use crate::{
    cli::block_on,
    wiring::{
        clock::{SystemClock, now},
        trail::archive,
    },
};

/// `audit archive`.
#[derive(Debug, clap::Args)]
pub(crate) struct Archive {
    #[command(flatten)]
    source: Source,
}

impl Archive {
    pub(super) fn run(self) -> Result<(), Stop> {
        let audit = self.source.load()?.config.audit;
        let keeper = Keeper {
            dir: audit.dir.clone(),
            archive: archive(&audit)?,
            hot_days: audit.hot_days,
            retention_days: audit.retention_days,
            written: None,
        };
        let version = env!("CARGO_PKG_VERSION");
        let settings = TrailSettings::new(audit.dir, Arc::new(SystemClock), version);
        let (trail, _) = Trail::open(settings)?;
        let kept = block_on(async { Ok(keeper.keep(now(), &trail).await?) })?;
        trail.close();
        say(format_args!(
            "{} segments archived, {} removed here, {} removed from the archive.",
            kept.archived, kept.removed_here, kept.removed_archived
        ));
        if kept.held {
            say("A legal hold keeps everything from being removed.");
        }
        Ok(())
    }
}

/// `audit restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    source: Source,
    /// The folder they are brought to
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Only segments with records at or after this time
    #[arg(long, value_name = "RFC3339")]
    since: Option<Timestamp>,
    /// Only segments with records before this time
    #[arg(long, value_name = "RFC3339")]
    until: Option<Timestamp>,
}

impl Restore {
    pub(super) fn run(self) -> Result<(), Stop> {
        let audit = self.source.load()?.config.audit;
        let Some(archive) = archive(&audit)? else {
            return Err(Stop::usage("no archive is configured: set audit.archive"));
        };
        if self.to == audit.dir {
            return Err(Stop::usage(
                "--to is the trail itself. Name another folder: what is brought back there would be removed again.",
            ));
        }
        let (since, until) = (self.since, self.until);
        let brought = block_on(async {
            Ok(hallpass_audit::restore(&audit.dir, &archive, &self.to, since, until).await?)
        })?;
        say(format_args!(
            "{} segments are in {to}. Check them with `hallpass audit verify --partial {to}`.",
            brought.len(),
            to = self.to.display()
        ));
        Ok(())
    }
}

/// `audit erase`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["subject", "action"]))]
pub(crate) struct Erase {
    #[command(flatten)]
    source: Source,
    /// Erase what this subject's records say
    #[arg(long)]
    subject: Option<String>,
    /// Erase what records of this action say, for example auth.check
    #[arg(long)]
    action: Option<String>,
    /// Only records from before this time
    #[arg(long, value_name = "RFC3339")]
    before: Option<Timestamp>,
    /// Why, for the trail; must not name the person
    #[arg(long)]
    reason: String,
}

impl Erase {
    pub(super) fn run(self) -> Result<(), Stop> {
        let audit = self.source.load()?.config.audit;
        let archive = archive(&audit)?;
        let version = env!("CARGO_PKG_VERSION");
        let mut settings = TrailSettings::new(&audit.dir, Arc::new(SystemClock), version);
        // The record of the erasure begins a segment, so that all others may be
        // written anew.
        settings.segment_max_bytes = 1;
        let (trail, _) = Trail::open(settings)?;
        let erasure = Erasure {
            subject: self.subject,
            action: self.action,
            before: self.before,
            reason: self.reason,
        };
        let erased = block_on(async {
            let archive = archive.as_ref();
            Ok(hallpass_audit::erase(&audit.dir, archive, &erasure, now(), &trail).await?)
        })?;
        trail.close();
        say(format_args!(
            "{} records in {} segments were erased; their places and hashes stay, and the trail says why.",
            erased.records, erased.segments
        ));
        Ok(())
    }
}

/// `audit hold`.
#[derive(Debug, clap::Args)]
pub(crate) struct Hold {
    #[command(flatten)]
    source: Source,
    /// Why nothing may be removed
    #[arg(long, required_unless_present = "lift")]
    reason: Option<String>,
    /// Lift the hold
    #[arg(long, conflicts_with = "reason")]
    lift: bool,
}

impl Hold {
    pub(super) fn run(self) -> Result<(), Stop> {
        let dir = existing(self.source.load()?.config.audit.dir)?;
        let path = dir.join(LEGAL_HOLD);
        if let Some(reason) = self.reason {
            std::fs::write(&path, format!("{reason}\n"))?;
            say("No segment is removed until the hold is lifted.");
            return Ok(());
        }
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        say("The hold is lifted: segments are removed when their time is over.");
        Ok(())
    }
}
