//! One refresh of a grant at a time.

use std::{
    collections::HashSet,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{code::Code, grant::Grant, hold::Hold, ids::GrantId, refusal::Refusal};

/// How soon whoever came second may look again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The grants that are being refreshed by this process.
///
/// It keeps two refreshes of one grant from both asking OpenAI. That only one
/// of them is answered is the registry's doing, whoever asks there.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<GrantId>>>);

impl Claims {
    /// Claims a grant until what it gives is dropped.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] while another request has claimed it.
    pub(super) fn claim(&self, grant: &GrantId) -> Result<Hold, Refusal> {
        let first = self.with(|claimed| claimed.insert(grant.clone()));
        if !first {
            let text = "The grant is being refreshed by another request. One of the two gets the next secret; send an Idempotency-Key to have it given to both.";
            return Err(Refusal::new(Code::RefreshUnderWay, text).retry_after(LOOK_AGAIN));
        }
        let (claims, grant) = (self.clone(), grant.clone());
        Ok(Hold::new(move || {
            claims.with(|claimed| claimed.remove(&grant));
        }))
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashSet<GrantId>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The grant whose place the next one takes, claimed until that is done.
#[derive(Debug)]
pub(super) struct Predecessor {
    pub(super) grant: Grant,
    #[expect(dead_code, reason = "dropping it ends the claim")]
    pub(super) claim: Hold,
}

impl Deref for Predecessor {
    type Target = Grant;

    fn deref(&self) -> &Grant {
        &self.grant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_claimed_by_one_until_it_lets_go() {
        let (claims, grant) = (Claims::default(), GrantId::from_random([1; 16]));
        let first = claims.claim(&grant).unwrap();
        let second = claims.claim(&grant).unwrap_err();
        assert_eq!(second.code, Code::RefreshUnderWay);
        let other = claims.claim(&GrantId::from_random([2; 16]));
        assert!(other.is_ok(), "another grant is another matter");
        drop(first);
        drop(claims.claim(&grant).unwrap());
    }
}
