//! The mask of a client's frame.

/// Masks or unmasks bytes that begin a payload.
pub fn mask(bytes: &mut [u8], key: [u8; 4]) {
    mask_from(bytes, key, 0);
}

/// Masks or unmasks bytes that stand at an offset in their payload.
#[allow(
    clippy::cast_possible_truncation,
    reason = "two bits of the offset are all that count"
)]
pub fn mask_from(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let mut key = key;
    key.rotate_left((offset & 3) as usize);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    let word = u32::from_ne_bytes(key);
    let word = u64::from(word) << 32 | u64::from(word);
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_masked_as_the_whole_is(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            key in any::<[u8; 4]>(),
            cut in 0_usize..100,
        ) {
            let simple: Vec<u8> = bytes.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
            let mut whole = bytes.clone();
            mask(&mut whole, key);
            prop_assert_eq!(&whole, &simple);
            let cut = cut.min(bytes.len());
            let mut pieces = bytes;
            let (a, b) = pieces.split_at_mut(cut);
            mask(a, key);
            mask_from(b, key, cut as u64);
            prop_assert_eq!(pieces, simple);
        }
    }
}
