//! Ids as few bytes: sixteen where they are of Hallpass's own form.

use hallpass_core::ids::hex;

/// The first byte of an id that is kept as its text.
const TEXT: u8 = 0;

/// `<prefix>` and 32 hexadecimal digits as 16 bytes; any other text as it is.
pub(crate) fn pack(prefix: &str, text: &str) -> Vec<u8> {
    bits(prefix, text).map_or_else(|| kept(text), |bits| bits.to_vec())
}

/// The text again; none where the bytes are none that [`pack`] gives.
pub(crate) fn unpack(prefix: &str, bytes: &[u8]) -> Option<String> {
    if bytes.len() == 16 {
        return Some(format!("{prefix}{}", hex(bytes)));
    }
    let start = bytes.iter().position(|byte| *byte != TEXT)?;
    let text = bytes.get(start.max(1)..)?;
    String::from_utf8(text.to_vec()).ok()
}

/// Ids hold no control character, so the marks before one end where it begins;
/// there are two where one would make it as long as a packed one.
fn kept(text: &str) -> Vec<u8> {
    let marks = if text.len() == 15 { 2 } else { 1 };
    let mut bytes = vec![TEXT; marks];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The bits of an id of Hallpass's own form.
pub(crate) fn bits(prefix: &str, text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_prefix(prefix)?.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut bits = [0; 16];
    for (byte, pair) in bits.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bits)
}

/// Lower case only: another spelling is another id.
const fn digit(text: u8) -> Option<u8> {
    match text {
        b'0'..=b'9' => Some(text - b'0'),
        b'a'..=b'f' => Some(text - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_they_were() {
        let own = format!("gr_{}", "0f".repeat(16));
        let ids = [
            own.as_str(),
            "gr_",
            "x",
            "fifteen-bytes-x",
            "sixteen-bytes-xy",
            &format!("gr_{}", "0F".repeat(16)),
            &format!("ln_{}", "0f".repeat(16)),
        ];
        for id in ids {
            let packed = pack("gr_", id);
            let back = unpack("gr_", &packed).unwrap();
            assert_eq!(back, id);
        }
        assert_eq!(pack("gr_", &own).len(), 16);
    }
}
