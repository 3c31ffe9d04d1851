//! How one record stands: by itself, between its neighbours, and signed.

use std::{fs, path::Path};

use crate::{
    chain::Hash,
    checkpoint::{Checkpoint, PublicKey},
    erase::is_erased,
    follow::Follower,
    line::{Flaw, Sealed, hash_of},
    merkle::includes,
    notary::PUBLIC_KEY,
    prove::{NoProof, prove},
    reader::ReadError,
    stored::StoredRecord,
};

/// Most records whose tree is built to show one of them signed; it takes about
/// a tenth of a second.
const MOST_HASHED: u64 = 500_000;

/// What was found of one record.
#[derive(Debug)]
pub struct Standing {
    /// The line as it is stored.
    pub line: String,
    /// It, read; none where it was erased or is damaged.
    pub record: Option<StoredRecord>,
    /// Whether what it said was erased, which leaves its place and hash.
    pub is_erased: bool,
    /// What is wrong with it; none where its hash and number are right.
    pub flaw: Option<Flaw>,
    /// Whether it names the record before it.
    pub before: Neighbour,
    /// Whether the record after it names it.
    pub after: Neighbour,
    /// Whether a signed checkpoint states it.
    pub signed: Signed,
}

/// How a record and one beside it fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// One names the other's hash.
    Fits,
    /// One names another hash: one of them was changed.
    Broken,
    /// There is none here: it is the first, the last, or was archived.
    Absent,
}

/// Whether a checkpoint states a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// The first that does states so many records.
    By(u64),
    /// None does yet; the server makes one within seconds.
    NotYet,
    /// The checkpoint's tree is not that of the trail.
    Broken(String),
    /// Too many records to build their tree in passing.
    Unasked,
}

impl Standing {
    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.flaw.is_none()
            && self.before != Neighbour::Broken
            && self.after != Neighbour::Broken
            && !matches!(self.signed, Signed::Broken(_))
    }
}

/// Looks at one record below a durable number; none where it is not here.
///
/// # Errors
///
/// [`ReadError`] when a file can't be read.
pub fn standing(dir: &Path, record: u64, durable: u64) -> Result<Option<Standing>, ReadError> {
    let mut follower = Follower::new(dir, record.saturating_sub(1));
    let (mut before, mut own, mut after) = (None, None, None);
    let end = durable.min(record.saturating_add(2));
    while let Some((number, line)) = follower.next_line(end)? {
        let place = match number {
            number if number == record => &mut own,
            number if number < record => &mut before,
            _ => &mut after,
        };
        *place = Some(line.to_vec());
    }
    Ok(own.map(|own| judge(dir, record, &own, before.as_deref(), after.as_deref())))
}

fn judge(
    dir: &Path,
    number: u64,
    own: &[u8],
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Standing {
    let sealed = Sealed::read(own);
    let previous = sealed.as_ref().ok().and_then(|sealed| sealed.previous);
    let hash = hash_of(own);
    let named_after = after
        .and_then(|line| Sealed::read(line).ok())
        .and_then(|sealed| sealed.previous);
    let flaw = match sealed {
        Ok(sealed) if sealed.sequence != number => Some(Flaw::Sequence {
            expected: number,
            found: sealed.sequence,
        }),
        Ok(_) => None,
        Err(flaw) => Some(flaw),
    };
    let signed = match (&flaw, hash) {
        (None, Some(hash)) => signed(dir, number, hash),
        _ => Signed::Unasked,
    };
    Standing {
        line: String::from_utf8_lossy(own).into_owned(),
        record: StoredRecord::read(own).ok(),
        is_erased: is_erased(own),
        flaw,
        before: before.map_or(Neighbour::Absent, |line| fits(previous, hash_of(line))),
        after: after.map_or(Neighbour::Absent, |_| fits(named_after, hash)),
        signed,
    }
}

fn fits(named: Option<Hash>, found: Option<Hash>) -> Neighbour {
    match named.is_some() && named == found {
        true => Neighbour::Fits,
        false => Neighbour::Broken,
    }
}

/// Builds the tree of the first checkpoint that states a record.
fn signed(dir: &Path, record: u64, hash: Hash) -> Signed {
    if record >= MOST_HASHED {
        return Signed::Unasked;
    }
    let proof = match prove(dir, record) {
        Ok(proof) => proof,
        Err(NoProof::Unsigned(_)) => return Signed::NotYet,
        Err(NoProof::Incomplete(_)) => return Signed::Unasked,
        Err(error) => return Signed::Broken(error.to_string()),
    };
    let Some(checkpoint) = open(dir, &proof.note) else {
        return Signed::Broken("the checkpoint's signature does not fit its key".to_owned());
    };
    let Checkpoint { size, root, .. } = checkpoint;
    if includes(root, size, record, hash, &proof.nodes) {
        return Signed::By(size);
    }
    Signed::Broken(format!("the checkpoint of {size} records states others"))
}

fn open(dir: &Path, note: &str) -> Option<Checkpoint> {
    let key = fs::read_to_string(dir.join(PUBLIC_KEY)).ok()?;
    key.parse::<PublicKey>().ok()?.open(note).ok()
}
