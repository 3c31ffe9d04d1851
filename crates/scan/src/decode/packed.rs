//! Gzip within base64.

use std::io::Read;

use ::base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::Reading;
use crate::charset::run_end;

/// The base64 of gzip's first three bytes.
const MAGIC: &[u8] = b"H4sI";
/// Characters of base64 read at most.
const LONGEST: usize = 16 * 1024 * 1024;

/// Whether base64 of gzip begins at `at`.
pub(crate) fn is_packed_base64(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    text.get(at..).is_some_and(|rest| rest.starts_with(MAGIC))
        && before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Unpacks the gzip in base64 that begins at `hit`, as far as it can be read
/// and no further than `most` bytes.
pub(crate) fn inflated(text: &[u8], hit: usize, most: u64) -> Reading {
    let end = run_end(text, hit, LONGEST, |byte| {
        byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
    });
    let standard: Vec<u8> = text[hit..end]
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let packed = GeneralPurpose::new(&alphabet::STANDARD, config)
        .decode(standard)
        .unwrap_or_default();
    let mut unpacked = Vec::new();
    // What was read before an error is looked at all the same.
    let _ = flate2::read::MultiGzDecoder::new(packed.as_slice())
        .take(most)
        .read_to_end(&mut unpacked);
    Reading::of(hit..end, false, unpacked)
}
