//! `cargo xtask replicas`: three replicas, PostgreSQL, Redis and nginx on
//! loopback, broken in turn under load.
use anyhow::{Result, ensure};

use crate::{
    prepare,
    run::{cargo, root},
};

/// What is run where nothing has to break for long.
const AGREE: &str = "replicas::agree::";
/// What breaks everything in turn.
const STORM: &str = "replicas::storm::heavy_what_was_told_holds_whatever_breaks";

/// Arguments of `cargo xtask replicas`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Break links, stores and replicas in turn under load
    #[arg(long)]
    chaos: bool,
    /// For how long, in minutes
    #[arg(long, default_value_t = 10.0, requires = "chaos")]
    minutes: f64,
}

/// Runs the arrangement and holds what it told together.
pub(crate) fn replicas(args: &Args) -> Result<()> {
    prepare::for_tests()?;
    let mut test = cargo(&["test", "--locked", "--package", "hallpass", "--test", "it"]);
    test.current_dir(root()).arg("--");
    if args.chaos {
        test.args(["--exact", STORM, "--nocapture"])
            .env("HALLPASS_MINUTES", args.minutes.to_string());
    } else {
        test.arg(AGREE);
    }
    let status = test.status()?;
    ensure!(status.success(), "the replicas did not hold: {status}");
    Ok(())
}
