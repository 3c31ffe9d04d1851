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
//! Two facts of an event have a meaning here: `key` names the API key a record
//! is about, which becomes its OCSF entity, and `grant` a grant the record
//! concerns without carrying it, which [`search()`] finds it by.
//!
//! # What the chain proves
//!
//! A record that was changed, removed, inserted or moved breaks the chain at a
//! named place. Whoever can write the directory can also make a whole new
//! chain, or cut records off its end: only a [`Link`] kept elsewhere shows
//! that, see [`verify()`].
//!
//! # Durability
//!
//! One thread writes. What callers append while it is at the disk, it writes
//! next, with one fdatasync for all of it, and then tells them. When the load
//! before held several records, it first waits a little, until there are as many
//! again.
//!
//! What is synced is `trail.journal`, a file of a fixed length that was filled
//! once, so that a sync writes the lines alone and no new length. The same lines
//! are appended to the segment, which is synced when the journal is full, when
//! the next segment begins, and at the end, where the journal is removed. After
//! a power cut, opening and [`verify()`] take from the journal what the segment
//! lacks.
//!
//! A step at the disk that fails is not tried again:
//! after a failed fdatasync the system may hold lost bytes for written. The
//! trail takes no more records then, until it is opened anew.
//!
//! Where records are durable elsewhere ([`Primary`]), the thread waits for that
//! instead, and the directory is a copy that begins anew at each start.
//!
//! Opening cuts a last line that does not end or does not hash, records the
//! cut as `trail.repair`, and writes the last segment's bytes once more, so
//! that nothing later stands on bytes that were only in memory. Any other
//! damage keeps the trail shut, untouched.

mod archive;
mod chain;
mod checkpoint;
mod disk;
mod encode;
mod erase;
mod escape;
mod export;
mod facts;
mod feed;
mod follow;
mod gather;
mod gist;
mod glance;
mod happening;
mod hear;
mod journal;
mod json;
mod jump;
mod keep;
mod latest;
mod line;
mod lock;
mod marks;
mod merkle;
mod notary;
mod ocsf;
mod otlp;
mod primary;
mod prove;
mod queue;
mod reader;
mod recover;
mod search;
mod segment;
mod ship;
mod sidecar;
mod stall;
mod standing;
mod stored;
mod summary;
mod terms;
mod told;
mod trail;
mod verify;
mod writer;

pub use archive::{Archive, ArchiveError};
pub use chain::{Hash, Link};
pub use checkpoint::{BadNote, BadSeed, Checkpoint, CheckpointKey, NotAKey, PublicKey};
pub use disk::{Disk, JournalFile, LocalDisk, SegmentFile};
pub use erase::{Erased, Erasure, erase};
pub use export::{CSV_HEADER, csv_row};
pub use feed::Told;
pub use follow::Follower;
pub use hear::{Record, RecordFollower};
pub use jump::{ClockJump, ClockWatch};
pub use keep::{KeepError, Keeper, Kept, LEGAL_HOLD, hold, restore};
pub use latest::latest;
pub use line::Flaw;
pub use lock::is_held;
pub use merkle::{Tree, consistency_proof, includes, inclusion_proof, is_consistent};
pub use notary::{Notary, NotaryError, SignedCheckpoint};
pub use otlp::otlp_logs;
pub use primary::{Anchor, Committing, LineWalk, Primary};
pub use prove::{Growth, NoProof, Proof, chain_uid, prove, prove_growth};
pub use reader::{ReadError, TrailReader};
pub use recover::{Cut, OpenError, Recovery};
pub use search::{Query, Search, search, tail};
pub use ship::{Receiver, Shipper, ShippingObserver};
pub use standing::{Neighbour, Signed, Standing, standing};
pub use stored::{OutcomeKind, StoredDraft, StoredRecord, StoredUpstream};
pub use summary::RecordSummary;
pub use trail::{Progress, Trail, TrailObserver, TrailSettings, new_chain_uid};
pub use verify::{BadRecord, Evidence, VerifyError, VerifyReport, verify, verify_against};
