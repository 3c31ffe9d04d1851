//! The simulated users and their tokens.
use anyhow::{Result, anyhow};
use aws_lc_rs::rand;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::clock::unix_seconds;

/// Who issues the users' tokens.
pub(crate) const ISSUER: &str = "https://bench.example.test";
/// For whom they are issued.
pub(crate) const AUDIENCE: &str = "hallpass";
/// The role each user holds.
pub(crate) const ROLE: &str = "bench";
/// The role of whoever operates the server.
pub(crate) const OPERATOR: &str = "operator";

const USERS: usize = 256;
const LIFETIME_SECONDS: u64 = 4 * 3600;

#[derive(Serialize)]
struct Claims {
    sub: String,
    iss: &'static str,
    aud: &'static str,
    iat: u64,
    exp: u64,
    roles: [&'static str; 1],
}

/// One HS256 token for each simulated user.
pub(crate) fn tokens(secret: &str) -> Result<Vec<String>> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let header = Header::new(Algorithm::HS256);
    let now = unix_seconds();
    (0..USERS)
        .map(|user| {
            Ok(encode(
                &header,
                &claims(format!("user-{user:04}"), ROLE, now),
                &key,
            )?)
        })
        .collect()
}

/// A token of one more user.
pub(crate) fn token(secret: &str, subject: &str) -> Result<String> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let claims = claims(subject.to_owned(), ROLE, unix_seconds());
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

/// A token of the operator's.
pub(crate) fn operator(secret: &str) -> Result<String> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let claims = claims("operator".to_owned(), OPERATOR, unix_seconds());
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

fn claims(sub: String, role: &'static str, now: u64) -> Claims {
    Claims {
        sub,
        iss: ISSUER,
        aud: AUDIENCE,
        iat: now,
        exp: now + LIFETIME_SECONDS,
        roles: [role],
    }
}

/// 32 random bytes in hexadecimal, for keys that live as long as a run.
pub(crate) fn random_secret() -> Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_a_token_of_their_own() {
        let secret = random_secret().expect("random");
        let tokens = tokens(&secret).expect("signed");

        let distinct: std::collections::HashSet<_> = tokens.iter().collect();
        assert_eq!(distinct.len(), USERS);
        assert!(tokens.iter().all(|token| token.split('.').count() == 3));
    }

    #[test]
    fn secrets_differ() {
        let (one, other) = (random_secret(), random_secret());

        assert_ne!(one.expect("random"), other.expect("random"));
    }
}
