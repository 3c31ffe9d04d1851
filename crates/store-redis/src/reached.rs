//! What each replica says of a revocation once it is in force there, so that
//! whoever revokes can answer for all.

use std::{collections::HashMap, time::Duration};

use hallpass_core::{ids::RevocationId, live::Elsewhere, ports::StoreError};
use tokio::time::{Instant, sleep};

use crate::{
    link::Link,
    names::Tag,
    script::{Call, Script, script},
};

static REACHED: Script = script!("reached.lua");

/// How long whoever revokes waits for the others.
const WITHIN: Duration = Duration::from_secs(1);
/// How often it is looked whether they have spoken.
const LOOK: Duration = Duration::from_millis(20);
/// How long what they said is kept.
const LASTS_MS: u64 = 360_000;

/// Says that a revocation is in force at a replica, and what it ended there.
pub(crate) async fn say(
    link: &Link,
    replica: &str,
    revocation: &RevocationId,
    ended: u64,
) -> Result<(), StoreError> {
    let call = Call::on([name(revocation)]);
    let call = call.with(LASTS_MS).with(replica).with(ended);
    link.run::<i64>(&REACHED, &call).await.map(drop)
}

/// Waits until all of these have said so, or long enough.
pub(crate) async fn heard(link: &Link, of: &[String], revocation: &RevocationId) -> Elsewhere {
    let deadline = Instant::now() + WITHIN;
    let mut known = Elsewhere::default();
    while let Ok(said) = said(link, revocation).await {
        let silent = of.iter().filter(|it| !said.contains_key(*it)).count();
        known = Elsewhere {
            ended: said.values().sum(),
            silent: u64::try_from(silent).ok(),
        };
        if silent == 0 || Instant::now() >= deadline {
            return known;
        }
        sleep(LOOK).await;
    }
    Elsewhere {
        silent: None,
        ..known
    }
}

async fn said(link: &Link, revocation: &RevocationId) -> Result<HashMap<String, u64>, StoreError> {
    let mut all = redis::cmd("HGETALL");
    all.arg(name(revocation));
    link.query(&all).await
}

fn name(revocation: &RevocationId) -> String {
    Tag::revocation(revocation.as_str()).name("said")
}
