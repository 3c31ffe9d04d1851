//! The schemes in their order.

use std::sync::Arc;

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    caller::{AuthFailure, Authentication, Caller, Presented, Scheme},
    ids::CredentialId,
    ports::{Authenticator, Clock},
};

use crate::{ApiKeys, JwtVerifier, Reason, SessionCookies};

/// What API keys begin with; no JWT does.
const KEY_PREFIX: &str = "hp_";

/// Finds out who sends a request: API key, JWT, then session cookies.
///
/// The first scheme whose credential is present decides. An `Authorization`
/// header that can't be read is a present one.
pub struct Chain {
    clock: Arc<dyn Clock>,
    api_keys: Option<ApiKeys>,
    jwt: Option<JwtVerifier>,
    cookies: Vec<SessionCookies>,
}

impl Chain {
    /// A chain without schemes: it accepts nobody.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            api_keys: None,
            jwt: None,
            cookies: Vec::new(),
        }
    }

    /// Accepts API keys.
    #[must_use]
    pub fn with_api_keys(mut self, api_keys: ApiKeys) -> Self {
        self.api_keys = Some(api_keys);
        self
    }

    /// Accepts tokens of the configured issuers.
    #[must_use]
    pub fn with_jwt(mut self, jwt: JwtVerifier) -> Self {
        self.jwt = (!jwt.is_empty()).then_some(jwt);
        self
    }

    /// Accepts one more session cookie; they are looked for in this order.
    #[must_use]
    pub fn with_session_cookie(mut self, cookies: SessionCookies) -> Self {
        self.cookies.push(cookies);
        self
    }

    /// Whether no scheme is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.api_keys.is_none() && self.jwt.is_none() && self.cookies.is_empty()
    }

    /// Authenticates as of this time: why is a credential refused?
    pub async fn explain(&self, presented: &Presented<'_>, at: Timestamp) -> Authentication {
        if let Some(key) = &presented.proven {
            return answer(self.proven(key, presented, at).await);
        }
        let Some(authorization) = &presented.authorization else {
            return self.cookie(&presented.cookies, at);
        };
        let result = match bearer(authorization) {
            Some(token) if token.starts_with(KEY_PREFIX) => {
                self.api_key(token, presented, at).await
            }
            Some(token) => self.jwt(token, at).await,
            None => Err(Reason::AuthorizationMalformed.failure(Scheme::Jwt, None)),
        };
        answer(result)
    }

    async fn api_key(
        &self,
        token: &str,
        presented: &Presented<'_>,
        at: Timestamp,
    ) -> Result<Arc<Caller>, AuthFailure> {
        let Some(api_keys) = &self.api_keys else {
            return Err(Reason::ApiKeysNotConfigured.failure(Scheme::ApiKey, None));
        };
        let verified = api_keys.verify(token, presented.address, at).await;
        let verified = verified.map(Arc::new);
        verified.map_err(|refused| refused.reason.failure(Scheme::ApiKey, refused.id))
    }

    async fn proven(
        &self,
        key: &CredentialId,
        presented: &Presented<'_>,
        at: Timestamp,
    ) -> Result<Arc<Caller>, AuthFailure> {
        let Some(api_keys) = &self.api_keys else {
            return Err(Reason::ApiKeysNotConfigured.failure(Scheme::ApiKey, None));
        };
        let resumed = api_keys.resume(key, presented.address, at).await;
        let resumed = resumed.map(Arc::new);
        resumed.map_err(|refused| refused.reason.failure(Scheme::ApiKey, refused.id))
    }

    async fn jwt(&self, token: &str, at: Timestamp) -> Result<Arc<Caller>, AuthFailure> {
        let Some(jwt) = &self.jwt else {
            return Err(Reason::JwtNotConfigured.failure(Scheme::Jwt, None));
        };
        let verified = jwt.verify(token, at).await;
        verified.map_err(|refused| refused.reason.failure(Scheme::Jwt, refused.issuer))
    }

    fn cookie(&self, cookies: &[(&str, &str)], at: Timestamp) -> Authentication {
        for scheme in &self.cookies {
            if let Some(result) = scheme.verify(cookies, at) {
                let result = result.map(Arc::new);
                return answer(result.map_err(|reason| cookie_failure(reason, scheme.name())));
            }
        }
        Authentication::NotRequested
    }
}

#[async_trait]
impl Authenticator for Chain {
    async fn authenticate(&self, presented: &Presented<'_>) -> Authentication {
        self.explain(presented, self.clock.now()).await
    }
}

fn answer(result: Result<Arc<Caller>, AuthFailure>) -> Authentication {
    match result {
        Ok(caller) => Authentication::Authenticated(caller),
        Err(failure) => Authentication::Failed(failure),
    }
}

fn cookie_failure(reason: Reason, name: &CredentialId) -> AuthFailure {
    reason.failure(Scheme::SessionCookie, Some(name.clone()))
}

/// The token after `Bearer` and exactly one space.
fn bearer(authorization: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    // Without an early end, so that many bytes are looked at at once.
    let graphic = |all: bool, byte: u8| all & byte.is_ascii_graphic();
    let good = !token.is_empty() && token.bytes().fold(true, graphic);
    (good && scheme.eq_ignore_ascii_case("bearer")).then_some(token)
}
