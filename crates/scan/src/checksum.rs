//! The checksum at the end of Hallpass's own keys and passes.
//!
//! This is a second implementation on purpose: the scanner depends on no other
//! crate of ours.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of the checksum: CRC-32 in base 62.
pub(crate) const LENGTH: usize = 6;

/// Whether a text ends in the checksum of what stands before it.
pub(crate) fn is_right(text: &[u8]) -> bool {
    let Some(at) = text.len().checked_sub(LENGTH) else {
        return false;
    };
    let (body, sum) = text.split_at(at);
    of(body) == sum
}

/// The checksum of a text.
pub(crate) fn of(body: &[u8]) -> [u8; LENGTH] {
    let mut value = crc32fast::hash(body);
    let mut digits = [b'0'; LENGTH];
    for place in digits.iter_mut().rev() {
        *place = ALPHABET[(value % 62) as usize];
        value /= 62;
    }
    digits
}
