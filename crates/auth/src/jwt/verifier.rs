//! All issuers, and the tokens they proved lately.

use std::sync::Arc;

use hallpass_core::{Timestamp, caller::Caller, ids::CredentialId};

use super::{
    JwtSettings, RemoteKeys,
    cache::{Fingerprint, Remembered, TokenCache},
    compact::{Header, UnverifiedToken, check_size},
    issuer::{Issuer, IssuerKeys, Proven},
};
use crate::{
    Reason, SettingsError,
    json::{Json, Object},
};

/// Verifies the tokens of every configured issuer.
pub struct JwtVerifier {
    issuers: Vec<Issuer>,
    cache: TokenCache,
}

/// A refusal, with the issuer where the token got as far as one.
#[derive(Debug)]
pub(crate) struct RefusedToken {
    pub(crate) reason: Reason,
    pub(crate) issuer: Option<CredentialId>,
}

impl From<Reason> for RefusedToken {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            issuer: None,
        }
    }
}

impl JwtVerifier {
    /// Takes the configured issuers.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] of the first issuer that can't be used.
    pub fn new(settings: impl IntoIterator<Item = JwtSettings>) -> Result<Self, SettingsError> {
        let issuers = settings.into_iter().map(Issuer::new);
        Ok(Self {
            issuers: issuers.collect::<Result<_, _>>()?,
            cache: TokenCache::new(),
        })
    }

    /// The key sets that must be renewed: run [`RemoteKeys::renew_forever`] on each.
    pub fn remote_keys(&self) -> impl Iterator<Item = (&CredentialId, &Arc<RemoteKeys>)> {
        self.issuers.iter().filter_map(|issuer| match &issuer.keys {
            IssuerKeys::Remote(keys) => Some((&issuer.name, keys)),
            IssuerKeys::Fixed(_) => None,
        })
    }

    /// Whether any issuer is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Verifies a token at this time.
    pub(crate) async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Caller>, RefusedToken> {
        check_size(token)?;
        let fingerprint = Fingerprint::of(token);
        if let Some(remembered) = self.remembered(&fingerprint) {
            return self.recheck(&remembered, now);
        }
        // Once for each token: the way of all others need not have room for it.
        let (place, proven) = Box::pin(self.prove(token, now)).await?;
        let caller = proven.caller.clone();
        self.cache.keep(fingerprint, Remembered { place, proven });
        Ok(caller)
    }

    /// A token proven before, if its issuer still has the same keys.
    fn remembered(&self, fingerprint: &Fingerprint) -> Option<Arc<Remembered>> {
        let remembered = self.cache.find(fingerprint)?;
        let keys = &self.issuers.get(remembered.place)?.keys;
        (keys.generation() == Some(remembered.proven.generation)).then_some(remembered)
    }

    /// Of what was proven only the time can change.
    fn recheck(
        &self,
        remembered: &Remembered,
        now: Timestamp,
    ) -> Result<Arc<Caller>, RefusedToken> {
        let issuer = &self.issuers[remembered.place];
        let valid = remembered.proven.times.check(now, issuer.leeway);
        valid.map_err(|reason| RefusedToken {
            reason,
            issuer: Some(issuer.name.clone()),
        })?;
        Ok(remembered.proven.caller.clone())
    }

    async fn prove(&self, token: &str, now: Timestamp) -> Result<(usize, Proven), RefusedToken> {
        let token = UnverifiedToken::split(token)?;
        let header = Header::read(&token.header)?;
        let unverified_claims = Object::read(&token.payload)?;
        let mut refused = RefusedToken::from(Reason::IssuerMismatch);
        for (place, issuer) in self.named_by(&unverified_claims)? {
            let verified = if issuer.allows(header.algorithm) {
                issuer
                    .verify(&token, &header, &unverified_claims, now)
                    .await
            } else {
                Err(Reason::AlgNotAllowed)
            };
            match verified {
                Ok(proven) => return Ok((place, proven)),
                Err(reason) => refused.improve(reason, issuer),
            }
        }
        Err(refused)
    }

    /// The issuers of this `iss`: several may share it, with other keys or
    /// another audience each.
    fn named_by<'s>(
        &'s self,
        unverified_claims: &Object<'_>,
    ) -> Result<impl Iterator<Item = (usize, &'s Issuer)>, Reason> {
        let url = match unverified_claims.get("iss") {
            None => return Err(Reason::IssuerMissing),
            Some(Json::Text(url)) => url.clone().into_owned(),
            Some(_) => return Err(Reason::IssuerMismatch),
        };
        let issuers = self.issuers.iter().enumerate();
        Ok(issuers.filter(move |(_, issuer)| issuer.url == url))
    }
}

impl RefusedToken {
    /// Keeps the refusal of the issuer that got furthest: one that does not
    /// know the algorithm says least.
    fn improve(&mut self, reason: Reason, issuer: &Issuer) {
        let says_little = matches!(self.reason, Reason::IssuerMismatch | Reason::AlgNotAllowed);
        if says_little {
            self.reason = reason;
            self.issuer = Some(issuer.name.clone());
        }
    }
}
