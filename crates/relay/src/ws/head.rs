//! The head of a frame.

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of a message.
    Continuation,
    /// A message of text, or its beginning.
    Text,
    /// A message of bytes, or its beginning.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether the other end is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    const fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Whether it may stand between the frames of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// What it holds.
    pub opcode: Opcode,
    /// The mask of a client's frame.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload that follow.
    pub len: u64,
}

/// Why bytes are no head of a frame both ends could agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// A reserved bit is set, though no extension was agreed on.
    #[error("a reserved bit is set")]
    Reserved,
    /// The opcode means nothing.
    #[error("the opcode is unknown")]
    Opcode,
    /// A control frame is in pieces or over 125 bytes.
    #[error("a control frame is in pieces or too long")]
    Control,
    /// The length has more bytes than it needs, or is over 63 bits.
    #[error("the length is not in its shortest form")]
    Length,
}

/// Longest head, in bytes.
pub(crate) const MAX_HEAD: usize = 14;

/// Reads a head; none while bytes are missing. The second is its size.
///
/// # Errors
///
/// [`HeadError`] when no compliant end sends this.
pub fn read_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(HeadError::Reserved);
    }
    let opcode = Opcode::of(first & 0x0f).ok_or(HeadError::Opcode)?;
    let fin = first & 0x80 != 0;
    let short = second & 0x7f;
    if opcode.is_control() && (!fin || short > 125) {
        return Err(HeadError::Control);
    }
    let (len, used) = match short {
        126 => match rest {
            [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8),
            None => return Ok(None),
        },
        short => (u64::from(short), 0),
    };
    let shortest = match used {
        0 => true,
        2 => len > 125,
        _ => len > 0xffff && len >> 63 == 0,
    };
    if !shortest {
        return Err(HeadError::Length);
    }
    let mut size = 2 + used;
    let mask = match second & 0x80 {
        0 => None,
        _ => match rest[used..].first_chunk::<4>() {
            Some(key) => {
                size += 4;
                Some(*key)
            }
            None => return Ok(None),
        },
    };
    let head = Head {
        fin,
        opcode,
        mask,
        len,
    };
    Ok(Some((head, size)))
}

impl Head {
    /// Writes the head in its shortest form.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "each arm has just the range its type holds"
    )]
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.fin) << 7 | self.opcode.bits());
        let masked = u8::from(self.mask.is_some()) << 7;
        match self.len {
            0..=125 => out.push(masked | self.len as u8),
            126..=0xffff => {
                out.push(masked | 126);
                out.extend_from_slice(&(self.len as u16).to_be_bytes());
            }
            _ => {
                out.push(masked | 127);
                out.extend_from_slice(&self.len.to_be_bytes());
            }
        }
        out.extend(self.mask.into_iter().flatten());
    }

    /// A whole frame of this payload.
    #[must_use]
    pub fn frame(fin: bool, opcode: Opcode, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_HEAD + payload.len());
        let head = Self {
            fin,
            opcode,
            mask: key,
            len: payload.len() as u64,
        };
        head.write(&mut out);
        let start = out.len();
        out.extend_from_slice(payload);
        if let Some(key) = key {
            super::mask(&mut out[start..], key);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heads() -> impl Strategy<Value = Head> {
        let opcode = prop::sample::select(vec![
            Opcode::Continuation,
            Opcode::Text,
            Opcode::Binary,
            Opcode::Close,
            Opcode::Ping,
            Opcode::Pong,
        ]);
        let len = prop_oneof![0..=125_u64, 126..=0xffff_u64, 0x1_0000..=u64::MAX >> 1];
        (any::<bool>(), opcode, any::<Option<[u8; 4]>>(), len).prop_map(
            |(fin, opcode, mask, len)| Head {
                fin: fin || opcode.is_control(),
                opcode,
                mask,
                len: if opcode.is_control() { len % 126 } else { len },
            },
        )
    }

    proptest! {
        #[test]
        fn a_written_head_reads_back_and_is_whole_at_its_last_byte(head in heads()) {
            let mut bytes = Vec::new();
            head.write(&mut bytes);
            for cut in 0..bytes.len() {
                prop_assert_eq!(read_head(&bytes[..cut]).unwrap(), None);
            }
            prop_assert_eq!(read_head(&bytes).unwrap(), Some((head, bytes.len())));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = read_head(&bytes);
        }
    }

    #[test]
    fn what_no_compliant_end_sends_is_refused() {
        let cases: [(&[u8], HeadError); 6] = [
            (&[0xc1, 0], HeadError::Reserved),
            (&[0x83, 0], HeadError::Opcode),
            (&[0x09, 0], HeadError::Control),
            (&[0x88, 126, 0, 200], HeadError::Control),
            (&[0x81, 126, 0, 125], HeadError::Length),
            (
                &[0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
                HeadError::Length,
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(read_head(bytes), Err(error), "{bytes:?}");
        }
    }
}
