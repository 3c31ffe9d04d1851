//! The audit trail: records, chain, group commit, segments, verification.
//!
//! A trail is a directory of segments, `trail-<first sequence>.jsonl`, each a
//! file of JSON lines. A line is one record: an OCSF 1.9 event whose Hallpass
//! facts stand under `unmapped.hallpass`, and whose last member,
//! `attestation_list`, ties it to the record before it.
//!
//! # Canonical form
//!
//! The stored bytes are the canonical form (`hallpass-line-v1`): nothing is
//! ever serialised again to be checked. Every line ends with
//!
//! ```text
//! "fingerprint":{…,"value":"<64 hexadecimal digits>"}}]}
//! ```
//!
//! and a line feed. The 64 digits are the lower-case SHA-256 of all bytes of the
//! line before them. Among those bytes stands, but for the very first record,
//! `attestation_list[0].prev_event.fingerprint.value`: the 64 digits of the line
//! before, in whichever segment that is. `metadata.sequence` counts up by one
//! from 0 over all segments, and a segment's name is the sequence of its first
//! record, in twenty digits. So in Python a line is good when
//! `sha256(line[:-70]).hexdigest() == line[-70:-6]` and
//! `line.endswith(b'"}}]}\n')`; `tests/verify.py` checks a whole trail.
//!
//! Within strings, characters that a terminal or an editor would act upon
//! (controls, line separators, direction marks, zero-width ones) are written
//! as `\u` escapes: a record is one line, whatever a caller sent.
//!
//! # What the chain proves
//!
//! A record that was changed, removed, inserted or moved breaks the chain at a
//! named place. Whoever can write the directory can also make a whole new
//! chain, or cut records off its end: only a [`Link`] kept elsewhere shows
//! that, see [`verify()`].

mod chain;
mod disk;
mod encode;
mod escape;
mod facts;
mod line;
mod lock;
mod ocsf;
mod queue;
mod reader;
mod recover;
mod search;
mod segment;
mod stored;
mod trail;
mod verify;
mod writer;

pub use chain::{Hash, Link};
pub use disk::{Disk, LocalDisk, SegmentFile};
pub use line::Flaw;
pub use reader::{ReadError, TrailReader};
pub use recover::{Cut, OpenError, Recovery};
pub use search::{Query, Search, search, tail};
pub use stored::{OutcomeKind, StoredDraft, StoredRecord, StoredUpstream};
pub use trail::{Trail, TrailObserver, TrailSettings};
pub use verify::{BadRecord, VerifyError, VerifyReport, verify};
