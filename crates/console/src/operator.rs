//! What the signed-in operator may see and do.

use std::sync::Arc;

use hallpass_core::{
    caller::Caller,
    ids::{CredentialId, Subject},
    permission::Permission,
    pipeline::Broker,
    revocation::Question,
};

/// What the console shows or does, of which a key must be allowed one at least
/// to be let in.
const SHOWN: [Permission; 7] = [
    Permission::UsageRead,
    Permission::SessionsRead,
    Permission::AlertsRead,
    Permission::AuditRead,
    Permission::KeysRead,
    Permission::GrantsReadAny,
    Permission::UpstreamsManage,
];

/// The operator of a page.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    caller: Arc<Caller>,
    may: Vec<Permission>,
    /// What each of their forms carries.
    pub(crate) csrf: Arc<str>,
}

impl Operator {
    /// Who a caller is by the rules in force now.
    pub(crate) fn of(broker: &Broker, caller: &Arc<Caller>, csrf: Arc<str>) -> Self {
        let policy = broker.policy();
        let allowed = |permission: &Permission| policy.require(caller, *permission).is_ok();
        let asked = SHOWN.into_iter().chain([
            Permission::SessionsManage,
            Permission::KeysManage,
            Permission::AlertsManage,
        ]);
        Self {
            may: asked.filter(allowed).collect(),
            caller: caller.clone(),
            csrf,
        }
    }

    /// Whether they may do something the console does.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.may.contains(&permission)
    }

    /// Whether there is anything for them here.
    pub(crate) fn may_enter(&self) -> bool {
        SHOWN.into_iter().any(|permission| self.may(permission))
    }

    /// The key's name.
    pub(crate) fn name(&self) -> &Subject {
        &self.caller.subject
    }

    /// The key's id.
    pub(crate) fn key(&self) -> &CredentialId {
        &self.caller.credential
    }

    /// Who they are to the pipeline.
    pub(crate) const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Whether no revocation stands in their way.
    pub(crate) fn is_free(&self, broker: &Broker) -> bool {
        // As the pipeline asks: who may lift revocations is not stopped by one
        // of everything.
        let operator = self.may(Permission::SessionsManage);
        let question = Question::Caller {
            caller: &self.caller,
            operator,
        };
        broker.revocations().check(&question).is_none()
    }
}
