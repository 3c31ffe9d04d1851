//! Why a credential is refused, in one word and in one sentence.

use hallpass_core::{
    caller::{AuthFailure, Scheme},
    code::Code,
    ids::CredentialId,
};

/// The exact reason of a refusal: for the operator, never for the caller.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// `alg` is none of those configured for the key.
    AlgNotAllowed,
    /// No API keys are in use here.
    ApiKeysNotConfigured,
    /// `aud` is absent.
    AudienceMissing,
    /// `aud` does not name this service.
    AudienceMismatch,
    /// `Authorization` is not `Bearer`, one space, and a token.
    AuthorizationMalformed,
    /// A part is not canonical unpadded base64url.
    Base64Invalid,
    /// A chunk of the session cookie has a number that is none.
    CookieChunkInvalid,
    /// A chunk of the session cookie is missing.
    CookieChunkMissing,
    /// The session cookie was sent twice.
    CookieDuplicate,
    /// The session cookie is over the limit.
    CookieTooLarge,
    /// The header has `crit`.
    CritPresent,
    /// The session token does not open with any configured secret.
    DecryptFailed,
    /// The key directory did not answer.
    DirectoryUnavailable,
    /// `enc` is not what the session format uses.
    EncNotAllowed,
    /// The token has an encrypted key where none may be.
    EncryptedKeyPresent,
    /// The bearer token is an encrypted one.
    EncryptedToken,
    /// The credential's time is over.
    Expired,
    /// `exp` is absent.
    ExpiryMissing,
    /// The header has a member that changes what the token means.
    HeaderMemberRefused,
    /// `iat` lies in the future.
    IssuedInFuture,
    /// `iss` is absent.
    IssuerMissing,
    /// `iss` is no configured issuer.
    IssuerMismatch,
    /// The initialisation vector has the wrong length.
    IvLength,
    /// A member appears twice in one object.
    JsonDuplicateMember,
    /// The text is not JSON.
    JsonInvalid,
    /// The JSON is not an object.
    JsonNotAnObject,
    /// The JSON is nested too deeply.
    JsonTooDeep,
    /// No JWTs are accepted here.
    JwtNotConfigured,
    /// The API key's checksum is wrong.
    KeyChecksum,
    /// The API key has not the form of one.
    KeyMalformed,
    /// The API key's secret is wrong.
    KeyMismatch,
    /// The API key was withdrawn.
    KeyRevoked,
    /// No API key has this id.
    KeyUnknown,
    /// The issuer's keys can't be had.
    KeysUnavailable,
    /// `kid` is not a text.
    KidInvalid,
    /// `kid` is absent and several keys fit.
    KidMissing,
    /// `kid` names no key.
    KidUnknown,
    /// The token is valid for longer than the issuer may grant.
    LifetimeTooLong,
    /// The token holds another token.
    NestedToken,
    /// The API key may not be used from this address.
    NetworkNotAllowed,
    /// `nbf` lies in the future.
    NotYetValid,
    /// The cookie holds an id, not a token.
    OpaqueSession,
    /// The claim of the interview is not a usable text.
    SessionIdInvalid,
    /// The signature is wrong.
    SignatureInvalid,
    /// `sub` is not a usable text.
    SubjectInvalid,
    /// `sub` is absent.
    SubjectMissing,
    /// The authentication tag has the wrong length.
    TagLength,
    /// The claim of the tenant is not a usable text.
    TenantInvalid,
    /// `exp`, `nbf` or `iat` is no time.
    TimeInvalid,
    /// The token has not the right number of parts.
    TokenShape,
    /// The token is over the limit.
    TokenTooLarge,
    /// `typ` is not that of an access token.
    TypNotAllowed,
    /// The header has `zip`.
    ZipPresent,
}

impl Reason {
    /// The reason as it is written in audit and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The code the caller is told.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Expired => Code::ExpiredCredential,
            Self::KeyRevoked => Code::RevokedCredential,
            Self::DirectoryUnavailable | Self::KeysUnavailable => Code::StoreUnavailable,
            reason if reason.is_malformed() => Code::MalformedCredential,
            _ => Code::InvalidCredential,
        }
    }

    /// Whether the credential can't even be read.
    const fn is_malformed(self) -> bool {
        matches!(
            self,
            Self::AuthorizationMalformed
                | Self::Base64Invalid
                | Self::CookieChunkInvalid
                | Self::CookieChunkMissing
                | Self::CookieDuplicate
                | Self::CookieTooLarge
                | Self::EncryptedKeyPresent
                | Self::EncryptedToken
                | Self::IvLength
                | Self::JsonDuplicateMember
                | Self::JsonInvalid
                | Self::JsonNotAnObject
                | Self::JsonTooDeep
                | Self::KeyChecksum
                | Self::KeyMalformed
                | Self::KidInvalid
                | Self::TagLength
                | Self::TokenShape
                | Self::TokenTooLarge
        )
    }

    /// What is wrong and what to do, for the operator.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AlgNotAllowed => {
                "The token's alg is not the one configured for its key; sign with a configured algorithm."
            }
            Self::ApiKeysNotConfigured => "This is an API key, but no API keys are in use here.",
            Self::AudienceMissing => "The token has no aud; the issuer must name this service.",
            Self::AudienceMismatch => {
                "The token's aud does not name this service; compare it with the configured audience."
            }
            Self::AuthorizationMalformed => {
                "Authorization must be the word Bearer, one space and one token."
            }
            Self::Base64Invalid => {
                "A part of the token is not canonical unpadded base64url; it was changed on its way."
            }
            Self::CookieChunkInvalid => "A chunk of the session cookie has no proper number.",
            Self::CookieChunkMissing => {
                "A chunk of the session cookie is missing; the browser or a proxy dropped it."
            }
            Self::CookieDuplicate => {
                "The session cookie was sent twice; look for one set on another path or domain."
            }
            Self::CookieTooLarge => "The session cookie is over 64 KiB; keep less in the session.",
            Self::CritPresent => "The header has crit; no critical extension is supported.",
            Self::DecryptFailed => {
                "The session token does not open with any configured secret; compare the secret, \
                 the format and the cookie's name with the app's."
            }
            Self::DirectoryUnavailable => "The key directory did not answer; try again.",
            Self::EncNotAllowed => {
                "The token's enc is not one the configured session format uses; check the format."
            }
            Self::EncryptedKeyPresent => "The token has an encrypted key, which alg dir forbids.",
            Self::EncryptedToken => {
                "The bearer token is encrypted, which proves nothing about who made it; send a signed one."
            }
            Self::Expired => "The credential's time is over; obtain a new one.",
            Self::ExpiryMissing => "The token has no exp; the issuer must set one.",
            Self::HeaderMemberRefused => {
                "The header has a member that no accepted token has; send a plain signed token."
            }
            Self::IssuedInFuture => "The token's iat lies in the future; compare the clocks.",
            Self::IssuerMissing => "The token has no iss; the issuer must name itself.",
            Self::IssuerMismatch => {
                "The token's iss is no configured issuer; it must be equal to the last character."
            }
            Self::IvLength => "The token's initialisation vector has the wrong length.",
            Self::JsonDuplicateMember => "A member appears twice in one object of the token.",
            Self::JsonInvalid => "A part of the token is not JSON.",
            Self::JsonNotAnObject => "A part of the token is not a JSON object.",
            Self::JsonTooDeep => "The token's JSON is nested more than 32 levels deep.",
            Self::JwtNotConfigured => "This is a bearer token, but no JWT issuer is configured.",
            Self::KeyChecksum => "The API key's checksum is wrong: it was cut or mistyped.",
            Self::KeyMalformed => "The API key has not the form hp_<kind>_<id>_<secret>.",
            Self::KeyMismatch => "The API key's id is known, but its secret is wrong.",
            Self::KeyRevoked => "The API key was revoked; create a new one.",
            Self::KeyUnknown => "No API key has this id; was it made for another installation?",
            Self::KeysUnavailable => {
                "The issuer's keys can't be had at the moment; check its JWKS address."
            }
            Self::KidInvalid => "The header's kid is not a text.",
            Self::KidMissing => "The header has no kid and the issuer has several such keys.",
            Self::KidUnknown => "The header's kid names no key of the issuer.",
            Self::LifetimeTooLong => {
                "The token is valid for longer than configured; are its times in milliseconds?"
            }
            Self::NestedToken => "The token says it holds another token; send a plain one.",
            Self::NetworkNotAllowed => "The API key may not be used from this address.",
            Self::NotYetValid => "The token's nbf lies in the future; compare the clocks.",
            Self::OpaqueSession => {
                "The cookie holds an id, not a token: the app keeps its sessions in a database; \
                 set its session strategy to jwt."
            }
            Self::SessionIdInvalid => "The claim of the interview is not a usable text.",
            Self::SignatureInvalid => {
                "The signature is wrong: another key, or the token was changed."
            }
            Self::SubjectInvalid => {
                "The subject is not a text of 1 to 256 bytes without control characters."
            }
            Self::SubjectMissing => "The token names no subject; an e-mail address is none.",
            Self::TagLength => "The token's authentication tag has the wrong length.",
            Self::TenantInvalid => "The claim of the tenant is not a usable text.",
            Self::TimeInvalid => "exp, nbf or iat is not a time in seconds.",
            Self::TokenShape => "The token has not the right number of parts.",
            Self::TokenTooLarge => "The token is over 8 KiB; put fewer claims into it.",
            Self::TypNotAllowed => "The header's typ is not that of an access token.",
            Self::ZipPresent => "The token is compressed, which is not supported.",
        }
    }

    /// The refusal as the core passes it on.
    pub(crate) fn failure(self, scheme: Scheme, credential: Option<CredentialId>) -> AuthFailure {
        AuthFailure {
            code: self.code(),
            reason: self.as_str(),
            detail: self.sentence().to_owned(),
            scheme,
            credential,
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn every_reason_has_a_word_a_sentence_and_a_code_of_refusal() {
        for reason in Reason::iter() {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert!(reason.sentence().ends_with(['.', '?']), "{reason}");
            let code = reason.code();
            assert!(code.is_unauthenticated() || code.is_failure(), "{reason}");
        }
    }
}
