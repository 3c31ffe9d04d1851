//! A record's line: how it is sealed, and how a seal is checked.

use serde::Deserialize;

use crate::{
    chain::{Chain, Hash, Link},
    erase::is_erased,
};

/// Longest line, its line feed included, in bytes.
pub(crate) const MAX_LINE: usize = 1 << 20;
/// What a seal may add to a record's body, in bytes.
pub(crate) const MAX_SEAL: usize = 2048;
/// The version of OCSF the records follow.
const OCSF_VERSION: &str = "1.9.0";
/// What follows the hash.
const END: &[u8] = b"\"}}]}";
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file ends within the line.
    #[error("the line does not end")]
    Unterminated,
    /// The line is longer than any record.
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// The line does not end as a sealed record does.
    #[error("the line has no hash at its end")]
    Seal,
    /// The line's bytes are not those that were hashed.
    #[error("the record was changed: its hash does not match")]
    Hash,
    /// The line is not the JSON of a record.
    #[error("the line is not a record: {0}")]
    Json(String),
    /// The record has another number than its place.
    #[error("record {expected} was expected here, not {found}")]
    Sequence {
        /// The number of this place.
        expected: u64,
        /// The number the record has.
        found: u64,
    },
    /// The record names another record as the one before it.
    #[error("the record does not follow the one before it")]
    Previous,
    /// The record belongs to another trail.
    #[error("the record belongs to another trail")]
    OtherTrail,
}

/// What every line of one trail carries alike.
#[derive(Debug, Clone)]
pub(crate) struct Sealer {
    metadata: String,
    chain: String,
}

impl Sealer {
    /// Seals records of a trail, as written by a version of Hallpass.
    pub(crate) fn new(chain: &str, version: &str) -> Self {
        let product = serde_json::json!({
            "name": "Hallpass", "vendor_name": "Hallpass", "version": version,
        });
        let metadata = format!(
            r#"}}}},"metadata":{{"version":"{OCSF_VERSION}","product":{product},"log_name":"audit","profiles":["datetime","host","record_integrity"],"sequence":"#
        );
        let inner = serde_json::Value::from(chain).to_string();
        Self {
            metadata,
            chain: inner.trim_matches('"').to_owned(),
        }
    }

    /// Adds a body to some lines, numbered, tied to the head, and hashed.
    ///
    /// The body is a JSON object that is still open within
    /// `unmapped.hallpass`. Gives the new head.
    pub(crate) fn seal(&self, lines: &mut Vec<u8>, body: &[u8], chain: &Chain) -> Link {
        let start = lines.len();
        let sequence = chain.next();
        lines.extend_from_slice(body);
        self.write_middle(lines, sequence, chain.head);
        let hash = Hash::of(&lines[start..]);
        push_hash(lines, hash);
        lines.extend_from_slice(END);
        lines.push(b'\n');
        Link { sequence, hash }
    }

    fn write_middle(&self, lines: &mut Vec<u8>, sequence: u64, head: Option<Link>) {
        let Self { metadata, chain } = self;
        push_number(lines, b",\"sequence\":", sequence);
        lines.extend_from_slice(metadata.as_bytes());
        push_number(lines, b"", sequence);
        self.push_uid(lines, b",\"uid\":\"", sequence);
        lines.extend_from_slice(b"\"},\"attestation_list\":[{\"chain_uid\":\"");
        lines.extend_from_slice(chain.as_bytes());
        lines.push(b'"');
        if let Some(head) = head {
            self.push_uid(lines, b",\"prev_event\":{\"uid\":\"", head.sequence);
            lines.extend_from_slice(
                br#"","fingerprint":{"algorithm_id":3,"encoding_id":1,"value":""#,
            );
            push_hash(lines, head.hash);
            lines.extend_from_slice(b"\"}}");
        }
        lines.extend_from_slice(br#","fingerprint":{"algorithm_id":3,"encoding_id":1,"serialization":"hallpass-line-v1","serialization_id":99,"value":""#);
    }
}

impl Sealer {
    fn push_uid(&self, lines: &mut Vec<u8>, before: &[u8], sequence: u64) {
        lines.extend_from_slice(before);
        lines.extend_from_slice(self.chain.as_bytes());
        push_number(lines, b":", sequence);
    }
}

fn push_number(lines: &mut Vec<u8>, before: &[u8], number: u64) {
    lines.extend_from_slice(before);
    lines.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_hash(lines: &mut Vec<u8>, hash: Hash) {
    const TEXT: &[u8; 16] = b"0123456789abcdef";
    for byte in hash.as_bytes() {
        lines.push(TEXT[usize::from(byte >> 4)]);
        lines.push(TEXT[usize::from(byte & 15)]);
    }
}

/// A record whose own hash is right, or that was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
    pub(crate) previous: Option<Hash>,
    pub(crate) chain: String,
}

impl Sealed {
    /// Checks a line, without its line feed, by itself.
    pub(crate) fn read(line: &[u8]) -> Result<Self, Flaw> {
        // What is left of an erased record cannot be hashed to what it states;
        // `verify` asks for the record that says it was erased.
        let hash = if is_erased(line) {
            hash_of(line).ok_or(Flaw::Seal)?
        } else {
            check_hash(line)?
        };
        let json: SealJson<'_> =
            serde_json::from_slice(line).map_err(|error| Flaw::Json(error.to_string()))?;
        let [attestation] = json.attestation_list;
        let previous = attestation
            .prev_event
            .map(|event| event.fingerprint.value.parse())
            .transpose()
            .map_err(|error| Flaw::Json(format!("the previous hash {error}")))?;
        Ok(Self {
            sequence: json.metadata.sequence,
            hash,
            previous,
            chain: attestation.chain_uid,
        })
    }

    pub(crate) const fn link(&self) -> Link {
        Link {
            sequence: self.sequence,
            hash: self.hash,
        }
    }
}

/// The hash a line ends with, unchecked.
pub(crate) fn hash_of(line: &[u8]) -> Option<Hash> {
    let digits = line.strip_suffix(END)?.last_chunk::<DIGITS>()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn check_hash(line: &[u8]) -> Result<Hash, Flaw> {
    let rest = line.strip_suffix(END).ok_or(Flaw::Seal)?;
    let place = rest.len().checked_sub(DIGITS).ok_or(Flaw::Seal)?;
    let (hashed, digits) = rest.split_at(place);
    let stated: Hash = std::str::from_utf8(digits)
        .map_err(|_| Flaw::Seal)?
        .parse()
        .map_err(|_| Flaw::Seal)?;
    if Hash::of(hashed) != stated {
        return Err(Flaw::Hash);
    }
    Ok(stated)
}

/// The length of a whole record that stands at the start of some bytes.
pub(crate) fn whole_record(bytes: &[u8]) -> Option<usize> {
    let ends = bytes
        .windows(END.len())
        .enumerate()
        .filter(|(_, window)| *window == END);
    ends.map(|(place, _)| place + END.len())
        .find(|&length| check_hash(&bytes[..length]).is_ok())
}

#[derive(Deserialize)]
struct SealJson<'a> {
    metadata: MetadataJson,
    #[serde(borrow)]
    attestation_list: [AttestationJson<'a>; 1],
}

#[derive(Deserialize)]
struct MetadataJson {
    sequence: u64,
}

#[derive(Deserialize)]
struct AttestationJson<'a> {
    chain_uid: String,
    #[serde(borrow)]
    prev_event: Option<PreviousJson<'a>>,
}

#[derive(Deserialize)]
struct PreviousJson<'a> {
    #[serde(borrow)]
    fingerprint: FingerprintJson<'a>,
}

#[derive(Deserialize)]
struct FingerprintJson<'a> {
    value: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"unmapped":{"hallpass":{"action":"server.start""#;

    fn two_lines() -> (Vec<u8>, Chain) {
        let sealer = Sealer::new("chain", "1.2.3");
        let (mut lines, mut chain) = (Vec::new(), Chain::default());
        for _ in 0..2 {
            let head = sealer.seal(&mut lines, BODY, &chain);
            chain.head = Some(head);
        }
        (lines, chain)
    }

    #[test]
    fn sealed_lines_follow_each_other() {
        let (lines, sealed) = two_lines();
        let mut chain = Chain::default();
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            chain.accept(line.strip_suffix(b"\n").unwrap()).unwrap();
        }
        assert_eq!(chain.head, sealed.head);
        assert_eq!(chain.uid.as_deref(), Some("chain"));
    }

    #[test]
    fn a_line_out_of_its_place_is_refused() {
        let (lines, _) = two_lines();
        let second = lines.split(|&byte| byte == b'\n').nth(1).unwrap();
        let expected = Flaw::Sequence {
            expected: 0,
            found: 1,
        };
        assert_eq!(Chain::default().accept(second), Err(expected));
    }

    #[test]
    fn a_whole_record_is_found_within_a_damaged_line() {
        let (mut lines, _) = two_lines();
        let first = lines.iter().position(|&byte| byte == b'\n').unwrap();
        lines[first] = b'x';
        assert_eq!(whole_record(&lines), Some(first));
        assert_eq!(whole_record(&lines[..first - 1]), None);
    }

    #[test]
    fn the_seal_fits_its_bound() {
        let chain = Chain {
            head: Some(Link {
                sequence: u64::MAX - 1,
                hash: Hash::of(b""),
            }),
            uid: None,
        };
        let mut line = Vec::new();
        let uid = "0".repeat(36);
        Sealer::new(&uid, &"9".repeat(64)).seal(&mut line, b"", &chain);
        assert!(line.len() < MAX_SEAL, "{}", line.len());
    }
}
