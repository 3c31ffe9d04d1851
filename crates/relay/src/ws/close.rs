//! The payload of a close frame.

/// Most bytes of a control frame's payload.
pub const MAX_CONTROL: usize = 125;

/// A payload that may not stand in a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a close has no good code or reason")]
pub struct NotAClose;

/// A code and a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// Why, as a number.
    pub code: u16,
    /// Why, in words.
    pub reason: String,
}

impl Close {
    /// A close; a reason that is too long is cut between characters.
    #[must_use]
    pub fn new(code: u16, reason: &str) -> Self {
        let end = reason.floor_char_boundary(MAX_CONTROL - 2);
        Self {
            code,
            reason: reason[..end].to_owned(),
        }
    }

    /// Reads a payload; none where it is empty, which is allowed.
    ///
    /// # Errors
    ///
    /// The payload is one byte, its code is one nobody may send, or its reason
    /// is no text.
    pub fn read(payload: &[u8]) -> Result<Option<Self>, NotAClose> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
            [_] => return Err(NotAClose),
        };
        let sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let reason = str::from_utf8(reason).map_err(|_| NotAClose)?;
        if !sendable {
            return Err(NotAClose);
        }
        Ok(Some(Self {
            code,
            reason: reason.to_owned(),
        }))
    }

    /// Its payload.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = self.code.to_be_bytes().to_vec();
        payload.extend_from_slice(self.reason.as_bytes());
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_reads_back() {
        let close = Close::new(1008, "Your access to this session was revoked.");
        assert_eq!(Close::read(&close.payload()), Ok(Some(close)));
        assert_eq!(Close::read(&[]), Ok(None));
    }

    #[test]
    fn what_nobody_may_send_is_refused() {
        for payload in [
            &[3][..],
            &[0, 0],
            &[0x03, 0xed],
            &[0x03, 0xee],
            &[3, 0xe8, 0xff],
        ] {
            assert_eq!(Close::read(payload), Err(NotAClose), "{payload:?}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let close = Close::new(4000, &"€".repeat(100));
        assert!(close.payload().len() <= MAX_CONTROL);
        assert_eq!(close.reason.chars().count(), 41);
    }
}
