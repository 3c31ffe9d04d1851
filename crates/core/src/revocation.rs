//! What was withdrawn, and whom it concerns.

use std::{collections::HashMap, hash::Hash};

use crate::{
    Timestamp,
    caller::{Caller, Scheme},
    grant::Grant,
    ids::{
        CredentialId, GrantId, InvalidId, LineageId, ProfileName, RevocationId, SessionId, Subject,
    },
};

/// The kinds of revocation.
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
pub enum ScopeKind {
    /// Everything.
    All,
    /// Everything issued before a time.
    Before,
    /// One grant.
    Grant,
    /// An API key.
    Key,
    /// A grant and all its refreshes.
    Lineage,
    /// A profile.
    Profile,
    /// An interview.
    Session,
    /// A person or a service.
    Subject,
}

/// What a revocation reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    All,
    /// Credentials and grants issued before a time.
    Before(Timestamp),
    /// One grant.
    Grant(GrantId),
    /// An API key.
    Key(CredentialId),
    /// A grant and all its refreshes.
    Lineage(LineageId),
    /// A profile.
    Profile(ProfileName),
    /// An interview.
    Session(SessionId),
    /// A person or a service, whatever credential they come with.
    Subject(Subject),
}

/// Why a kind and a target are no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// A kind that needs a target has none.
    #[error("names no target")]
    NoTarget,
    /// [`ScopeKind::All`] takes no target.
    #[error("takes no target")]
    Target,
    /// The target is no identifier.
    #[error("{0}")]
    Id(#[from] InvalidId),
    /// The target is no time.
    #[error("is no time such as 2026-11-22T21:00:00Z")]
    Time,
    /// The target is no id of this kind.
    #[error("is no id of that kind: those begin with \"{0}\"")]
    Kind(&'static str),
}

impl Scope {
    /// The scope somebody asks for.
    ///
    /// A slip of the pen must not look as if it had blocked something, so what
    /// can't be an id of its kind is refused.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] when the two do not fit.
    pub fn asked(kind: ScopeKind, target: Option<String>) -> Result<Self, InvalidScope> {
        let prefix = match kind {
            ScopeKind::Grant => "gr_",
            ScopeKind::Lineage => "ln_",
            _ => "",
        };
        if target.as_ref().is_some_and(|it| !it.starts_with(prefix)) {
            return Err(InvalidScope::Kind(prefix));
        }
        Self::new(kind, target)
    }

    /// The scope of a kind and its target as text.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] when the two do not fit.
    pub fn new(kind: ScopeKind, target: Option<String>) -> Result<Self, InvalidScope> {
        if kind == ScopeKind::All {
            return target.map_or(Ok(Self::All), |_| Err(InvalidScope::Target));
        }
        let target = target.ok_or(InvalidScope::NoTarget)?;
        Ok(match kind {
            ScopeKind::All => Self::All,
            ScopeKind::Before => Self::Before(target.parse().map_err(|_| InvalidScope::Time)?),
            ScopeKind::Grant => Self::Grant(GrantId::new(target)?),
            ScopeKind::Key => Self::Key(CredentialId::new(target)?),
            ScopeKind::Lineage => Self::Lineage(LineageId::new(target)?),
            ScopeKind::Profile => Self::Profile(ProfileName::new(target)?),
            ScopeKind::Session => Self::Session(SessionId::new(target)?),
            ScopeKind::Subject => Self::Subject(Subject::new(target)?),
        })
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ScopeKind {
        match self {
            Self::All => ScopeKind::All,
            Self::Before(_) => ScopeKind::Before,
            Self::Grant(_) => ScopeKind::Grant,
            Self::Key(_) => ScopeKind::Key,
            Self::Lineage(_) => ScopeKind::Lineage,
            Self::Profile(_) => ScopeKind::Profile,
            Self::Session(_) => ScopeKind::Session,
            Self::Subject(_) => ScopeKind::Subject,
        }
    }

    /// Its target as text, which [`Scope::new`] takes back.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Before(time) => Some(time.to_string()),
            Self::Grant(id) => Some(id.to_string()),
            Self::Key(id) => Some(id.to_string()),
            Self::Lineage(id) => Some(id.to_string()),
            Self::Profile(name) => Some(name.to_string()),
            Self::Session(id) => Some(id.to_string()),
            Self::Subject(subject) => Some(subject.to_string()),
        }
    }

    /// Whether it reaches a grant.
    #[must_use]
    pub fn covers(&self, grant: &Grant) -> bool {
        match self {
            Self::All => true,
            Self::Before(time) => grant.created_at < *time,
            Self::Grant(id) => grant.id == *id,
            Self::Key(id) => grant.credential == *id,
            Self::Lineage(id) => grant.lineage == *id,
            Self::Profile(name) => grant.profile == *name,
            Self::Session(id) => grant.session_id.as_ref() == Some(id),
            Self::Subject(subject) => grant.subject == *subject,
        }
    }
}

/// One revocation, in force until lifted; a lifted one stays in history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its id.
    pub id: RevocationId,
    /// What it reaches.
    pub scope: Scope,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: Subject,
    /// When it was lifted, and by whom.
    pub lifted: Option<Lifted>,
}

impl Revocation {
    /// Whether it can't matter any more once what is older than a time is
    /// forgotten: it was lifted before, or its grant or lineage is over.
    #[must_use]
    pub fn is_over(&self, before: Timestamp) -> bool {
        let of_a_grant = matches!(self.scope, Scope::Grant(_) | Scope::Lineage(_));
        let lifted = self
            .lifted
            .as_ref()
            .is_some_and(|lifted| lifted.at < before);
        lifted || (of_a_grant && self.created_at < before)
    }
}

/// The end of a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Subject,
}

/// What a request is about to do, as revocations see it.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// Someone proved who they are.
    Caller {
        /// They.
        caller: &'a Caller,
        /// Whether they may lift revocations, and so must not be locked out by
        /// one of everything.
        operator: bool,
    },
    /// A secret is to be issued.
    Issue {
        /// To whom.
        caller: &'a Caller,
        /// For which profile.
        profile: &'a ProfileName,
        /// For which interview.
        session_id: Option<&'a SessionId>,
    },
    /// A grant is to be used once more.
    Grant(&'a Grant),
}

/// The revocation that stands in a request's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Which one.
    pub id: RevocationId,
    /// Of which kind.
    pub kind: ScopeKind,
}

/// The revocations in force, exact and in memory.
#[derive(Debug, Default)]
pub struct InForce {
    all: Option<RevocationId>,
    before: Vec<(Timestamp, RevocationId)>,
    grants: HashMap<GrantId, RevocationId>,
    keys: HashMap<CredentialId, RevocationId>,
    lineages: HashMap<LineageId, RevocationId>,
    profiles: HashMap<ProfileName, RevocationId>,
    sessions: HashMap<SessionId, RevocationId>,
    subjects: HashMap<Subject, RevocationId>,
}

impl InForce {
    /// The revocation of exactly this scope, where there is one.
    #[must_use]
    pub fn of(&self, scope: &Scope) -> Option<&RevocationId> {
        match scope {
            Scope::All => self.all.as_ref(),
            Scope::Before(time) => {
                let same = self.before.iter().find(|(known, _)| known == time);
                same.map(|(_, id)| id)
            }
            Scope::Grant(id) => self.grants.get(id),
            Scope::Key(id) => self.keys.get(id),
            Scope::Lineage(id) => self.lineages.get(id),
            Scope::Profile(name) => self.profiles.get(name),
            Scope::Session(id) => self.sessions.get(id),
            Scope::Subject(subject) => self.subjects.get(subject),
        }
    }

    /// Puts a revocation in force.
    pub fn insert(&mut self, id: RevocationId, scope: &Scope) {
        match scope {
            Scope::All => self.all = Some(id),
            Scope::Before(time) => self.before.push((*time, id)),
            Scope::Grant(grant) => put(&mut self.grants, grant, id),
            Scope::Key(key) => put(&mut self.keys, key, id),
            Scope::Lineage(lineage) => put(&mut self.lineages, lineage, id),
            Scope::Profile(name) => put(&mut self.profiles, name, id),
            Scope::Session(session) => put(&mut self.sessions, session, id),
            Scope::Subject(subject) => put(&mut self.subjects, subject, id),
        }
    }

    /// Takes a revocation out of force.
    pub fn remove(&mut self, scope: &Scope) {
        match scope {
            Scope::All => self.all = None,
            Scope::Before(time) => self.before.retain(|(known, _)| known != time),
            Scope::Grant(id) => drop(self.grants.remove(id)),
            Scope::Key(id) => drop(self.keys.remove(id)),
            Scope::Lineage(id) => drop(self.lineages.remove(id)),
            Scope::Profile(name) => drop(self.profiles.remove(name)),
            Scope::Session(id) => drop(self.sessions.remove(id)),
            Scope::Subject(subject) => drop(self.subjects.remove(subject)),
        }
    }

    /// What stands in a request's way.
    #[must_use]
    pub fn check(&self, question: &Question<'_>) -> Option<Hit> {
        match question {
            Question::Caller { caller, operator } => self.caller(caller, !operator),
            Question::Issue {
                caller,
                profile,
                session_id,
            } => self
                .caller(caller, true)
                .or_else(|| hit(&self.profiles, Some(profile), ScopeKind::Profile))
                .or_else(|| hit(&self.sessions, *session_id, ScopeKind::Session)),
            Question::Grant(grant) => self.grant(grant),
        }
    }

    fn caller(&self, caller: &Caller, sweeping: bool) -> Option<Hit> {
        let key = Some(&caller.credential).filter(|_| caller.scheme == Scheme::ApiKey);
        hit(&self.subjects, Some(&caller.subject), ScopeKind::Subject)
            .or_else(|| hit(&self.keys, key, ScopeKind::Key))
            .or_else(|| {
                let session_id = caller.session_id.as_ref();
                hit(&self.sessions, session_id, ScopeKind::Session)
            })
            .or_else(|| self.everything().filter(|_| sweeping))
            .or_else(|| self.issued_before(caller.issued_at?).filter(|_| sweeping))
    }

    fn grant(&self, grant: &Grant) -> Option<Hit> {
        hit(&self.grants, Some(&grant.id), ScopeKind::Grant)
            .or_else(|| hit(&self.lineages, Some(&grant.lineage), ScopeKind::Lineage))
            .or_else(|| {
                hit(
                    &self.sessions,
                    grant.session_id.as_ref(),
                    ScopeKind::Session,
                )
            })
            .or_else(|| hit(&self.subjects, Some(&grant.subject), ScopeKind::Subject))
            .or_else(|| hit(&self.keys, Some(&grant.credential), ScopeKind::Key))
            .or_else(|| hit(&self.profiles, Some(&grant.profile), ScopeKind::Profile))
            .or_else(|| self.everything())
            .or_else(|| self.issued_before(grant.created_at))
    }

    fn everything(&self) -> Option<Hit> {
        let id = self.all.clone()?;
        let kind = ScopeKind::All;
        Some(Hit { id, kind })
    }

    fn issued_before(&self, issued: Timestamp) -> Option<Hit> {
        let (_, id) = self.before.iter().find(|(time, _)| issued < *time)?;
        Some(Hit {
            id: id.clone(),
            kind: ScopeKind::Before,
        })
    }
}

fn put<K: Clone + Eq + Hash>(map: &mut HashMap<K, RevocationId>, key: &K, id: RevocationId) {
    map.insert(key.clone(), id);
}

/// Nothing is hashed where nothing is revoked, which is most of the time.
fn hit<K: Eq + Hash>(
    map: &HashMap<K, RevocationId>,
    key: Option<&K>,
    kind: ScopeKind,
) -> Option<Hit> {
    if map.is_empty() {
        return None;
    }
    let id = map.get(key?)?.clone();
    Some(Hit { id, kind })
}
