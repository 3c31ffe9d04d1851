//! Verifying the trails of all replicas in their database.

use hallpass_audit::{Flaw, Hash, LineWalk, Link, PublicKey, Tree};
use hallpass_store_postgres::{ChainEvidence, Database, KeptCheckpoint, PgSettings};
use secrecy::SecretString;
use serde_json::json;

use super::{Stop, say};
use crate::cli::block_on;

/// Lines asked for at once.
const PAGE: usize = 2000;

/// What was found of one replica's trail.
struct Verdict {
    replica: String,
    /// Whether records are durable there, and not copied from files.
    at_home: bool,
    /// The first record that is there.
    first: Option<u64>,
    records: u64,
    checkpoints: usize,
    head: Option<Link>,
    /// The first thing that is wrong.
    wrong: Option<String>,
}

/// Checks the trail of each replica, or of one; exits 1 where any is bad.
pub(super) fn verify(
    store: SecretString,
    replica: Option<String>,
    in_json: bool,
) -> Result<(), Stop> {
    let verdicts = block_on(async move {
        let database = Database::connect(PgSettings::new(store)).await?;
        let mut replicas = database.trail_replicas().await?;
        if let Some(wanted) = replica {
            replicas.retain(|name| *name == wanted);
            if replicas.is_empty() {
                let text = format!("the database has no trail of replica {wanted:?}");
                return Err(Stop::usage(text));
            }
        }
        let mut verdicts = Vec::new();
        for replica in replicas {
            verdicts.push(of_replica(&database, replica).await?);
        }
        database.close().await;
        Ok(verdicts)
    })?;
    for verdict in &verdicts {
        match in_json {
            true => say(verdict.in_json()),
            false => say(verdict.in_words()),
        }
    }
    let bad = verdicts.iter().filter(|it| it.wrong.is_some()).count();
    match bad {
        0 => Ok(()),
        bad => Err(Stop::no(format!(
            "{bad} of {} trails are not whole",
            verdicts.len()
        ))),
    }
}

async fn of_replica(database: &Database, replica: String) -> Result<Verdict, Stop> {
    // Read first: what is written meanwhile may only add to it.
    let evidence = database.trail_evidence(&replica).await?;
    let mut check = Check::new(&evidence);
    let mut after = None;
    let mut wrong = None;
    'pages: loop {
        let page = database.trail_lines(&replica, after, PAGE).await?;
        for (sequence, _, line) in &page {
            if let Err(what) = check.take(*sequence, line.as_bytes()) {
                wrong = Some(what);
                break 'pages;
            }
        }
        let Some((sequence, time, _)) = page.last() else {
            break;
        };
        after = Some((*sequence, *time));
    }
    let wrong = wrong.or_else(|| check.at_the_end().err());
    Ok(Verdict {
        replica,
        at_home: evidence.state.is_some(),
        first: check.first,
        records: check.records,
        checkpoints: check.confirmed,
        head: check.walk.as_ref().and_then(LineWalk::head),
        wrong,
    })
}

/// One trail on its way through the check.
struct Check<'a> {
    evidence: &'a ChainEvidence,
    walk: Option<LineWalk>,
    first: Option<u64>,
    last: Option<u64>,
    records: u64,
    /// Checkpoints that were passed, and those of them that hold.
    looked_at: usize,
    confirmed: usize,
}

impl<'a> Check<'a> {
    const fn new(evidence: &'a ChainEvidence) -> Self {
        Self {
            evidence,
            walk: None,
            first: None,
            last: None,
            records: 0,
            looked_at: 0,
            confirmed: 0,
        }
    }

    fn take(&mut self, sequence: u64, line: &[u8]) -> Result<(), String> {
        if self.last == Some(sequence) {
            return Err(format!("record {sequence} is there twice"));
        }
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => self.begin(sequence, line)?,
        };
        let accepted = walk.accept(line);
        let (head, walk) = (accepted, self.walk.insert(walk));
        let head = head.map_err(|flaw| said(sequence, &flaw))?;
        if head.sequence != sequence {
            return Err(format!(
                "what is kept as record {sequence} is record {}",
                head.sequence
            ));
        }
        self.last = Some(sequence);
        self.records += 1;
        let size = sequence + 1;
        hold_state(self.evidence, size, head.hash)?;
        // The oldest comes first.
        while let Some(kept) = self.evidence.checkpoints.get(self.looked_at)
            && kept.records <= size
        {
            self.looked_at += 1;
            if let Some(tree) = walk.tree().filter(|tree| tree.size() == kept.records) {
                hold_checkpoint(kept, tree)?;
                self.confirmed += 1;
            }
        }
        Ok(())
    }

    /// Where the walk begins: at the trail's beginning, after what was dropped
    /// by age, or where the first record says.
    fn begin(&mut self, sequence: u64, line: &[u8]) -> Result<LineWalk, String> {
        self.first = Some(sequence);
        let joint = self.evidence.joint.as_ref();
        if let Some((last, hash)) = joint.filter(|(last, _)| last + 1 == sequence) {
            let hash: Hash = hash.parse().map_err(|error| {
                format!("the hash kept of record {last}, which was dropped by age, {error}")
            })?;
            let link = Link {
                sequence: *last,
                hash,
            };
            return Ok(LineWalk::after(Some(link), None));
        }
        if joint.is_some() || (self.evidence.state.is_some() && sequence > 0) {
            let from = joint.map_or(0, |(last, _)| last + 1);
            return Err(format!(
                "records {from} to {} are missing at the beginning",
                sequence.saturating_sub(1)
            ));
        }
        LineWalk::at(line).map_err(|flaw| said(sequence, &flaw))
    }

    fn at_the_end(&self) -> Result<(), String> {
        let dropped = self.evidence.joint.as_ref().map(|(last, _)| last + 1);
        let next = self.last.map(|last| last + 1).or(dropped).unwrap_or(0);
        match &self.evidence.state {
            Some(state) if next < state.records => Err(format!(
                "records {next} to {} are missing at the end",
                state.records - 1
            )),
            _ => Ok(()),
        }
    }
}

/// The database says where the trail stands; its records must say the same.
fn hold_state(evidence: &ChainEvidence, size: u64, hash: Hash) -> Result<(), String> {
    let state = evidence.state.as_ref().filter(|it| it.records == size);
    match state.and_then(|state| state.head.as_ref()) {
        Some(head) if *head != hash.to_string() => Err(format!(
            "record {} has the hash {hash}, but {head} was written",
            size - 1
        )),
        _ => Ok(()),
    }
}

/// Whether the records so far are those that were signed.
fn hold_checkpoint(kept: &KeptCheckpoint, tree: &Tree) -> Result<(), String> {
    let bad =
        |what: &dyn std::fmt::Display| format!("the checkpoint of {} records {what}", kept.records);
    let key: PublicKey = kept.public_key.parse().map_err(|error| bad(&error))?;
    let signed = key.open(&kept.note).map_err(|error| bad(&error))?;
    if (signed.size, signed.root) != (tree.size(), tree.root()) {
        return Err(bad(
            &"states another root: the records are not those that were signed",
        ));
    }
    Ok(())
}

fn said(sequence: u64, flaw: &Flaw) -> String {
    match flaw {
        Flaw::Sequence { expected, found } if found > expected => {
            format!("records {expected} to {} are missing", found - 1)
        }
        flaw => format!("record {sequence}: {flaw}"),
    }
}

impl Verdict {
    fn in_words(&self) -> String {
        let Self {
            replica, records, ..
        } = self;
        if let Some(wrong) = &self.wrong {
            return format!("replica {replica}: {wrong}. Keep the database as it is.");
        }
        let from = match self.first {
            None | Some(0) => String::new(),
            Some(first) => format!(", from record {first} on"),
        };
        let kind = match self.at_home {
            true => "the trail is at home here",
            false => "a copy of its files, which are the truth",
        };
        let signed = match self.checkpoints {
            0 => String::new(),
            count => format!("; {count} checkpoints hold, by the keys kept beside them"),
        };
        format!(
            "replica {replica}: {records} records{from}: each of them and the chain are whole{signed} ({kind})."
        )
    }

    fn in_json(&self) -> serde_json::Value {
        json!({
            "replica": self.replica,
            "verdict": if self.wrong.is_none() { "whole" } else { "bad" },
            "wrong": self.wrong, "primary": self.at_home, "first_sequence": self.first,
            "records": self.records, "checkpoints": self.checkpoints,
            "last_sequence": self.head.map(|head| head.sequence),
            "last_hash": self.head.map(|head| head.hash.to_string()),
        })
    }
}
