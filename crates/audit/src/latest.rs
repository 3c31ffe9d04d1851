//! Finding the newest records first.

use std::path::Path;

use crate::{
    reader::ReadError,
    search::{Query, search},
    stored::StoredRecord,
};

/// Records looked at first, at the end of the trail.
const FIRST_LOOK: u64 = 512;
/// By how much each further look goes back.
const FURTHER: u64 = 8;

/// The newest records that are looked for below a number, newest first, at
/// most `query.limit`.
///
/// Looks back over ever longer stretches, so that what is near the end is
/// found without reading what is not. `query.from_sequence` is where it ends.
///
/// # Errors
///
/// [`ReadError`] when the directory or a record can't be read.
pub fn latest(dir: &Path, query: &Query, before: u64) -> Result<Vec<StoredRecord>, ReadError> {
    let limit = query.limit.unwrap_or(usize::MAX);
    let mut found: Vec<StoredRecord> = Vec::new();
    let (mut below, mut width) = (before, FIRST_LOOK);
    while below > query.from_sequence && found.len() < limit {
        let from = below.saturating_sub(width).max(query.from_sequence);
        found.extend(stretch(dir, query, from, below)?.into_iter().rev());
        (below, width) = (from, width.saturating_mul(FURTHER));
    }
    found.truncate(limit);
    Ok(found)
}

/// What is looked for from one number up to another, oldest first.
fn stretch(
    dir: &Path,
    query: &Query,
    from: u64,
    below: u64,
) -> Result<Vec<StoredRecord>, ReadError> {
    let part = Query {
        from_sequence: from,
        limit: None,
        ..query.clone()
    };
    let mut found = Vec::new();
    for record in search(dir, part)? {
        let record = record?;
        if record.sequence >= below {
            break;
        }
        found.push(record);
    }
    Ok(found)
}
