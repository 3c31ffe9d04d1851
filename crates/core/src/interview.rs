//! Interviews an app's backend registered: whose they are and how long they
//! last, so that a grant can be bound to one.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    Timestamp,
    caller::Caller,
    code::Code,
    hold::Hold,
    ids::{ProfileName, SessionId, Subject},
    permission::Permission,
    policy::{Policy, Terms},
    ports::StoreError,
    refusal::Refusal,
};

/// An interview as the app's backend registered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interview {
    /// The app's own id.
    pub session_id: SessionId,
    /// Whose interview it is.
    pub subject: Subject,
    /// The only profile it may use; none means any the caller may use.
    pub profile: Option<ProfileName>,
    /// When it is over by itself.
    pub expires_at: Timestamp,
    /// How many grants may be issued for it; none means any number.
    pub max_grants: Option<u32>,
    /// Who registered it.
    pub registered_by: Subject,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
}

impl Interview {
    /// Whether it is over, by its time or because it was ended.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at.is_some() || self.expires_at <= now
    }

    /// Whether another registration asks for the same.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        (&self.session_id, &self.subject, &self.profile)
            == (&other.session_id, &other.subject, &other.profile)
            && (self.expires_at, self.max_grants) == (other.expires_at, other.max_grants)
    }
}

/// An interview and how many grants were issued for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterviewStanding {
    /// The interview.
    pub interview: Interview,
    /// Grants issued for it, those under way included.
    pub issued: u32,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// It is registered now.
    New,
    /// It was registered before, just so.
    Known(InterviewStanding),
    /// Its id is taken by another registration.
    Taken,
}

/// Which interviews are asked for.
#[derive(Debug, Clone, Default)]
pub struct InterviewFilter {
    /// Only this subject's.
    pub subject: Option<Subject>,
    /// Only those registered before this one, in the order of the list.
    pub before: Option<(Timestamp, SessionId)>,
    /// At most so many.
    pub limit: usize,
}

/// Keeps the interviews.
#[async_trait]
pub trait Interviews: Send + Sync {
    /// Registers an interview, once.
    async fn register(&self, interview: &Interview) -> Result<Registration, StoreError>;
    /// The interview of this id.
    async fn find(&self, id: &SessionId) -> Result<Option<InterviewStanding>, StoreError>;
    /// Interviews, newest first.
    async fn list(&self, filter: &InterviewFilter) -> Result<Vec<InterviewStanding>, StoreError>;
    /// Ends an interview; the first time given stays. None when there is none.
    async fn end(
        &self,
        id: &SessionId,
        at: Timestamp,
    ) -> Result<Option<InterviewStanding>, StoreError>;
    /// Counts one grant for an interview that is not over and has room.
    async fn reserve(&self, id: &SessionId, now: Timestamp) -> Result<Reserved, StoreError>;
    /// Whether an interview a grant was counted for still goes on.
    async fn is_open(&self, id: &SessionId, now: Timestamp) -> Result<bool, StoreError>;
    /// Takes a counted grant back that was not issued. Best effort.
    fn release(&self, id: &SessionId);
}

/// Whether an interview had room for one more grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// One more is counted.
    Taken,
    /// As many as it may have are issued.
    Exhausted,
    /// It is over.
    Over,
}

/// Checks the interview a request names and counts a grant for it.
///
/// A session id is good when the caller's own credential carries it, when it is
/// registered for this subject, or when the caller may register interviews. One
/// that nobody registered is a mere label where the profile asks for none.
///
/// # Errors
///
/// A [`Refusal`] that says whether the interview is unknown, another's, over or
/// used up.
pub async fn enter(
    interviews: &Arc<dyn Interviews>,
    policy: &Policy,
    caller: &Caller,
    terms: &Terms,
    now: Timestamp,
) -> Result<Option<Hold>, Refusal> {
    let Some(id) = &terms.session_id else {
        return Ok(None);
    };
    let vouches = policy.require(caller, Permission::InterviewsManage).is_ok();
    let found = interviews.find(id).await.map_err(|error| unread(&error))?;
    let Some(InterviewStanding { interview, .. }) = found else {
        let carried = caller.session_id.as_ref() == Some(id);
        if terms.profile.require_session_id && !carried && !vouches {
            return Err(refused(Code::InterviewUnknown));
        }
        return Ok(None);
    };
    if interview.subject != caller.subject && !vouches {
        return Err(refused(Code::InterviewNotYours));
    }
    if interview.is_over(now) {
        return Err(refused(Code::InterviewFinished));
    }
    if interview
        .profile
        .as_ref()
        .is_some_and(|name| *name != terms.profile.name)
    {
        let text = "This interview is registered for another profile.";
        return Err(Refusal::new(Code::ProfileNotAllowed, text).member("profile"));
    }
    reserve(interviews, id, now).await.map(Some)
}

async fn reserve(
    interviews: &Arc<dyn Interviews>,
    id: &SessionId,
    now: Timestamp,
) -> Result<Hold, Refusal> {
    match interviews.reserve(id, now).await {
        Ok(Reserved::Taken) => {
            let (interviews, id) = (interviews.clone(), id.clone());
            Ok(Hold::new(move || interviews.release(&id)))
        }
        Ok(Reserved::Exhausted) => Err(refused(Code::InterviewExhausted)),
        Ok(Reserved::Over) => Err(refused(Code::InterviewFinished)),
        Err(error) => Err(unread(&error)),
    }
}

/// The refusal where an interview ended while a grant for it was under way.
pub(crate) fn over() -> Refusal {
    refused(Code::InterviewFinished)
}

fn refused(code: Code) -> Refusal {
    let text = match code {
        Code::InterviewExhausted => {
            "As many grants as this interview may have were issued. Register another interview."
        }
        Code::InterviewFinished => "This interview is over. Register another interview.",
        Code::InterviewNotYours => "This interview is another caller's.",
        _ => {
            "No interview of this id is registered, and the credential does not carry it. The app's backend registers one at /api/admin/interviews."
        }
    };
    Refusal::new(code, text).member("session_id")
}

pub(crate) fn unread(error: &StoreError) -> Refusal {
    let text =
        "The server can't read its interviews, so it issues no credentials. Try again later.";
    Refusal::new(Code::StoreUnavailable, text)
        .internal(error.to_string())
        .retry_after(Duration::from_secs(1))
}
