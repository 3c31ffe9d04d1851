//! Signature algorithms, each with the one kind of key it works with.

use aws_lc_rs::{
    hmac,
    rsa::PublicKeyComponents,
    signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm},
};

/// An algorithm of RFC 7518, 8037 or 9864.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    #[strum(serialize = "HS256")]
    Hs256,
    /// HMAC with SHA-384.
    #[strum(serialize = "HS384")]
    Hs384,
    /// HMAC with SHA-512.
    #[strum(serialize = "HS512")]
    Hs512,
    /// RSA PKCS #1 v1.5 with SHA-256.
    #[strum(serialize = "RS256")]
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    #[strum(serialize = "RS384")]
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    #[strum(serialize = "RS512")]
    Rs512,
    /// RSA-PSS with SHA-256.
    #[strum(serialize = "PS256")]
    Ps256,
    /// RSA-PSS with SHA-384.
    #[strum(serialize = "PS384")]
    Ps384,
    /// RSA-PSS with SHA-512.
    #[strum(serialize = "PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    #[strum(serialize = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[strum(serialize = "ES384")]
    Es384,
    /// Ed25519; RFC 9864 also names it `Ed25519`.
    #[strum(to_string = "EdDSA", serialize = "Ed25519")]
    EdDsa,
}

/// Fewest and most bits of an RSA modulus.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

impl Algorithm {
    /// The HMAC of this algorithm and the fewest bytes of its secret.
    pub(super) const fn hmac(self) -> Option<(hmac::Algorithm, usize)> {
        match self {
            Self::Hs256 => Some((hmac::HMAC_SHA256, 32)),
            Self::Hs384 => Some((hmac::HMAC_SHA384, 48)),
            Self::Hs512 => Some((hmac::HMAC_SHA512, 64)),
            _ => None,
        }
    }

    /// The RSA scheme of this algorithm.
    const fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
            _ => None,
        }
    }

    /// The curve scheme of this algorithm.
    fn curve(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
            Self::EdDsa => Some(&signature::ED25519),
            _ => None,
        }
    }

    /// Whether this is an RSA algorithm.
    pub(super) const fn is_rsa(self) -> bool {
        self.rsa().is_some()
    }

    /// Takes an RSA key's numbers, big-endian.
    pub(super) fn rsa_key(self, n: &[u8], e: &[u8]) -> Result<ParsedPublicKey, &'static str> {
        let scheme = self.rsa().ok_or("its type is not that of the algorithm")?;
        let n = without_leading_zeros(n);
        let e = without_leading_zeros(e);
        check_modulus(n)?;
        check_exponent(e)?;
        PublicKeyComponents { n, e }
            .to_parsed_public_key(scheme)
            .map_err(|_| "its numbers make no RSA key")
    }

    /// Takes a curve's point as raw bytes, or a whole key as DER.
    pub(super) fn curve_key(self, bytes: &[u8]) -> Result<ParsedPublicKey, &'static str> {
        let scheme = self
            .curve()
            .ok_or("its type is not that of the algorithm")?;
        ParsedPublicKey::new(scheme, bytes).map_err(|_| "it is no point of the algorithm's curve")
    }
}

fn check_modulus(n: &[u8]) -> Result<(), &'static str> {
    let unused = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !RSA_BITS.contains(&(n.len() * 8 - unused)) {
        return Err("its modulus has not 2048 to 8192 bits");
    }
    if n.last().is_none_or(|byte| byte % 2 == 0) {
        return Err("its modulus is even");
    }
    if super::key::has_roca_form(n) {
        return Err("its modulus was made by a broken generator (CVE-2017-15361)");
    }
    Ok(())
}

/// An odd number of 3 to 2^32; with 1 every signature would be its message.
fn check_exponent(e: &[u8]) -> Result<(), &'static str> {
    let odd = e.last().is_some_and(|byte| byte % 2 == 1);
    if !odd || e == [1] || e.len() > 4 {
        return Err("its exponent is not an odd number from 3 to 2^32");
    }
    Ok(())
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        assert_eq!("EdDSA".parse(), Ok(Algorithm::EdDsa));
        assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDsa));
        assert_eq!("RS256".parse(), Ok(Algorithm::Rs256));
        assert_eq!(Algorithm::EdDsa.to_string(), "EdDSA");
        for name in ["none", "None", "", "rs256", "RS256 ", "ES512", "HS1"] {
            assert!(name.parse::<Algorithm>().is_err(), "{name}");
        }
    }
}
