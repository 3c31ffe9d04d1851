//! One key with its one algorithm.

use aws_lc_rs::{hmac, rsa, signature::ParsedPublicKey};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::Algorithm;
use crate::{Reason, SettingsError};

/// What verifies signatures of one algorithm.
pub(super) struct VerifyingKey {
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl VerifyingKey {
    /// Takes a shared secret; `algorithms` must be one of the HS ones alone.
    pub(super) fn secret(
        secret: &SecretString,
        algorithms: &[Algorithm],
    ) -> Result<Self, SettingsError> {
        let [algorithm] = *algorithms else {
            return Err(SettingsError::Algorithms);
        };
        Self::hmac(algorithm, secret.expose_secret().as_bytes())
    }

    fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, SettingsError> {
        let (hash, min_bytes) = algorithm.hmac().ok_or(SettingsError::Algorithms)?;
        if secret.len() < min_bytes {
            return Err(SettingsError::SecretTooShort(min_bytes));
        }
        Ok(Self {
            algorithm,
            material: Material::Secret(Box::new(hmac::Key::new(hash, secret))),
        })
    }

    /// Takes a public key as PEM; its algorithm is the first that fits.
    pub(super) fn pem(text: &str, algorithms: &[Algorithm]) -> Result<Self, SettingsError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| {
            SettingsError::PublicKey("it is not a PEM text that begins with BEGIN PUBLIC KEY")
        })?;
        let mut fault = SettingsError::Algorithms;
        for algorithm in algorithms {
            match from_der(*algorithm, &der) {
                Ok(key) => return Ok(Self::public(*algorithm, key)),
                Err(Some(reason)) => fault = SettingsError::PublicKey(reason),
                Err(None) => {}
            }
        }
        Err(fault)
    }

    /// Takes a public key that was checked.
    pub(super) const fn public(algorithm: Algorithm, key: ParsedPublicKey) -> Self {
        Self {
            algorithm,
            material: Material::Public(key),
        }
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies a signature, for a secret in constant time.
    pub(super) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), Reason> {
        let result = match &self.material {
            Material::Secret(key) => hmac::verify(key, signed, signature),
            Material::Public(key) => key.verify_sig(signed, signature),
        };
        result.map_err(|_| Reason::SignatureInvalid)
    }
}

/// Reads a whole public key; none says that it is of another type.
fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<ParsedPublicKey, Option<&'static str>> {
    if !algorithm.is_rsa() {
        return algorithm.curve_key(der).map_err(|_| None);
    }
    let key = rsa::PublicKey::from_der(der).map_err(|_| None)?;
    let (n, e) = rsa_numbers(key.as_ref()).ok_or(None)?;
    algorithm.rsa_key(n, e).map_err(Some)
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017, A.1.1) that was parsed
/// and written anew, so that its form is known.
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (numbers, _) = der_value(der)?;
    let (n, rest) = der_value(numbers)?;
    let (e, _) = der_value(rest)?;
    Some((n, e))
}

/// The content of the first DER value, and what follows it.
fn der_value(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *first < 0x80 {
        return rest.split_at_checked(usize::from(*first));
    }
    let (length, rest) = rest.split_at_checked(usize::from(*first & 0x7f))?;
    if length.len() > size_of::<u32>() {
        return None;
    }
    let shift = |sum, byte: &u8| sum << 8 | usize::from(*byte);
    rest.split_at_checked(length.iter().fold(0, shift))
}

/// Small primes and, for each, the residues a modulus of the broken generator
/// has: the powers of 65537. By chance a modulus fits them all once in 2^27.
const ROCA_PRIMES: [u32; 17] = [
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
];

/// Whether a modulus has the form of CVE-2017-15361, whose keys can be factored.
pub(super) fn has_roca_form(modulus: &[u8]) -> bool {
    ROCA_PRIMES
        .iter()
        .all(|prime| is_power_of_65537(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    let shift = |rest, byte: &u8| (rest * 256 + u32::from(*byte)) % prime;
    number.iter().fold(0, shift)
}

fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 0..prime {
        if power == residue {
            return true;
        }
        power = power * (65537 % prime) % prime;
    }
    false
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broken_generators_form_is_told_from_others() {
        // Of the form k * M + 65537^a mod M, M the product of the primes.
        let product: u128 = ROCA_PRIMES.iter().map(|p| u128::from(*p)).product();
        let weak = product * 12 + 65537_u128.pow(3) % product;
        assert!(has_roca_form(&weak.to_be_bytes()));
        assert!(!has_roca_form(&(weak + 2).to_be_bytes()));
    }

    #[test]
    fn a_secret_takes_one_algorithm_and_its_length() {
        let secret = SecretString::from("0123456789abcdef".repeat(2));
        let error = |algorithms: &[Algorithm]| VerifyingKey::secret(&secret, algorithms).err();
        assert_eq!(error(&[Algorithm::Hs256]), None);
        assert_eq!(
            error(&[Algorithm::Hs512]),
            Some(SettingsError::SecretTooShort(64))
        );
        for wrong in [
            &[][..],
            &[Algorithm::Rs256],
            &[Algorithm::Hs256, Algorithm::Rs256],
        ] {
            assert_eq!(error(wrong), Some(SettingsError::Algorithms));
        }
    }
}
