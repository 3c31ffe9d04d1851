//! Makes API keys and their successors.

use std::{sync::Arc, time::Duration};

use zeroize::Zeroizing;

use crate::{
    Timestamp,
    caller::Caller,
    code::Code,
    hash::Hasher,
    ids::{RoleName, Subject},
    key::{ApiKey, KEY_RANDOM_BYTES, KeyKind},
    permission::PermissionRule,
    policy::Policy,
    ports::{Clock, Ids, KeyDirectory, StoreError, StoredKey},
    refusal::Refusal,
};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Who will use it; the subject of its callers.
    pub name: Subject,
    /// What it is for.
    pub kind: KeyKind,
    /// The roles it gives.
    pub roles: Vec<RoleName>,
    /// Networks it may be used from, as CIDR; empty means any.
    pub networks: Vec<String>,
    /// How long it lasts; none means without end.
    pub lasts: Option<Duration>,
}

/// Makes keys; only their hashes are kept.
pub struct KeyIssuer {
    directory: Arc<dyn KeyDirectory>,
    hasher: Hasher,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl KeyIssuer {
    /// Takes the directory and the hasher of
    /// [`Purpose::ApiKey`](crate::hash::Purpose::ApiKey).
    #[must_use]
    pub fn new(
        directory: Arc<dyn KeyDirectory>,
        hasher: Hasher,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            directory,
            hasher,
            clock,
            ids,
        }
    }

    /// Where the keys are kept.
    #[must_use]
    pub fn directory(&self) -> &dyn KeyDirectory {
        &*self.directory
    }

    /// Makes a key that is not kept yet; its text is never to be had again.
    #[must_use]
    pub fn make(&self, new: NewKey) -> (ApiKey, StoredKey) {
        let mut random = Zeroizing::new([0; KEY_RANDOM_BYTES]);
        self.ids.fill(random.as_mut_slice());
        let key = ApiKey::generate(new.kind, &random);
        let created_at = self.clock.now();
        let ends = |lasts| created_at.checked_add(lasts).unwrap_or(Timestamp::MAX);
        let stored = StoredKey {
            id: key.id().clone(),
            kind: new.kind,
            name: new.name,
            hash: self.hasher.hash(key.expose().as_bytes()),
            roles: new.roles,
            networks: new.networks,
            created_at,
            expires_at: new.lasts.map(ends),
            revoked_at: None,
            last_used_at: None,
            replaced_by: None,
        };
        (key, stored)
    }

    /// A successor that may do what the old key may and lasts as long as it
    /// did from its making on.
    #[must_use]
    pub fn make_successor(&self, old: &StoredKey) -> (ApiKey, StoredKey) {
        let life = |ends: Timestamp| ends.duration_since(old.created_at).unsigned_abs();
        self.make(NewKey {
            name: old.name.clone(),
            kind: old.kind,
            roles: old.roles.clone(),
            networks: old.networks.clone(),
            lasts: old.expires_at.map(life),
        })
    }

    /// Keeps a successor; the old key ends after the overlap.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the directory can't be written.
    pub async fn replace(
        &self,
        old: &StoredKey,
        successor: &StoredKey,
        overlap: Duration,
    ) -> Result<(), StoreError> {
        self.directory.insert(successor).await?;
        let ends = self
            .clock
            .now()
            .checked_add(overlap)
            .unwrap_or(Timestamp::MAX);
        self.directory
            .supersede(&old.id, &successor.id, ends)
            .await?;
        Ok(())
    }
}

/// Why a key can't be rotated, where it can't.
///
/// # Errors
///
/// A [`Refusal`] when it is revoked, over, or has a successor.
pub fn rotatable(key: &StoredKey, now: Timestamp) -> Result<(), Refusal> {
    let why = if key.revoked_at.is_some() {
        "is revoked"
    } else if key.replaced_by.is_some() {
        "has a successor already"
    } else if key.expires_at.is_some_and(|end| end <= now) {
        "has expired"
    } else {
        return Ok(());
    };
    let text = format!("The key {} {why}. Make a new one.", key.id);
    Err(Refusal::new(Code::KeyNotActive, text))
}

/// Whether a caller may hand out keys of these roles.
///
/// A caller with the permission `*` may give any configured role; any other
/// only roles it has itself. So no key leads to one that may do more.
///
/// # Errors
///
/// A [`Refusal`] naming the first role at fault.
pub fn may_give(policy: &Policy, caller: &Caller, roles: &[RoleName]) -> Result<(), Refusal> {
    let unlimited = policy
        .roles_of(caller)
        .any(|role| role.permissions.contains(&PermissionRule::All));
    for name in roles {
        if !policy.roles.contains_key(name) {
            let text = format!("There is no role \"{name}\" in the configuration.");
            return Err(Refusal::new(Code::InvalidMember, text).member("roles"));
        }
        if !unlimited && !policy.roles_of(caller).any(|role| role.name == *name) {
            let text = format!(
                "This caller does not have the role \"{name}\" and so can't give it. Only a caller with the permission \"*\" gives roles it does not have."
            );
            return Err(Refusal::new(Code::PermissionDenied, text).member("roles"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        caller::Scheme,
        ids::CredentialId,
        role::{ProfileRule, Role, RoleLimits},
    };

    fn role(name: &str, permission: &str) -> (RoleName, Arc<Role>) {
        let name = RoleName::new(name).unwrap();
        let role = Role {
            name: name.clone(),
            permissions: vec![permission.parse().unwrap()],
            profiles: ProfileRule::All,
            modes: None,
            kinds: None,
            max_expires_after_seconds: None,
            max_session_seconds: None,
            budget: crate::usage::Budget::default(),
            limits: RoleLimits::default(),
        };
        (name, Arc::new(role))
    }

    fn verdict(caller_role: &str, given: &str) -> Result<(), Code> {
        let policy = Policy {
            roles: [
                role("root", "*"),
                role("keeper", "keys:manage"),
                role("minter", "grants:*"),
            ]
            .into(),
            ..Policy::default()
        };
        let caller = Caller {
            subject: Subject::new("ops").unwrap(),
            scheme: Scheme::ApiKey,
            credential: CredentialId::new("k").unwrap(),
            roles: vec![RoleName::new(caller_role).unwrap()],
            session_id: None,
            tenant: None,
            issued_at: None,
            expires_at: None,
        };
        may_give(&policy, &caller, &[RoleName::new(given).unwrap()]).map_err(|refusal| refusal.code)
    }

    #[test]
    fn no_one_gives_a_role_that_may_do_more() {
        assert_eq!(verdict("root", "minter"), Ok(()));
        assert_eq!(verdict("root", "keeper"), Ok(()));
        assert_eq!(verdict("root", "nobody"), Err(Code::InvalidMember));
        assert_eq!(verdict("keeper", "keeper"), Ok(()));
        assert_eq!(verdict("keeper", "minter"), Err(Code::PermissionDenied));
        assert_eq!(verdict("keeper", "root"), Err(Code::PermissionDenied));
    }
}
