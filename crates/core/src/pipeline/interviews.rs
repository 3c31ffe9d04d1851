//! Registering and ending interviews.

use std::time::Duration;

use super::steps::AuditSlip;
use crate::{
    code::Code,
    ids::SessionId,
    interview::{Interview, InterviewStanding, Registration},
    ports::{StoreError, Withdrawn},
    refusal::Refusal,
    revocation::Scope,
};

impl AuditSlip<'_> {
    /// Registers an interview and records it; whether it is new.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when its id is taken, or store or trail can't be written.
    pub async fn register(
        self,
        interview: Interview,
    ) -> Result<(InterviewStanding, bool), Refusal> {
        let registered = self.broker.parts.interviews.register(&interview).await;
        let (standing, is_new) = match registered {
            Ok(Registration::New) => (fresh(interview), true),
            Ok(Registration::Known(standing)) => (standing, false),
            Ok(Registration::Taken) => return Err(self.refuse(taken()).await),
            Err(error) => return Err(self.refuse(not_stored(&error)).await),
        };
        let mut facts = facts_of(&standing.interview);
        facts.push(("new", is_new.to_string()));
        self.done(facts).await?;
        Ok((standing, is_new))
    }

    /// Ends an interview, revokes what it issued, and records both.
    ///
    /// It is over before its grants are revoked, and a mint under way looks
    /// again before its secret leaves: no grant slips through between the two.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when there is none, or store or trail can't be written.
    pub async fn end_interview(self, id: &str) -> Result<(InterviewStanding, Withdrawn), Refusal> {
        let ended = match SessionId::new(id) {
            Ok(id) => self.end(id).await,
            Err(_) => Ok(None),
        };
        let (standing, withdrawn) = match ended {
            Ok(Some(ended)) => ended,
            Ok(None) => return Err(self.refuse(unknown()).await),
            Err(error) => return Err(self.refuse(not_stored(&error)).await),
        };
        let mut facts = facts_of(&standing.interview);
        facts.push(("revoked", withdrawn.revoked.to_string()));
        facts.push(("unexpired_secrets", withdrawn.unexpired.to_string()));
        self.done(facts).await?;
        Ok((standing, withdrawn))
    }

    async fn end(
        &self,
        id: SessionId,
    ) -> Result<Option<(InterviewStanding, Withdrawn)>, StoreError> {
        let parts = &self.broker.parts;
        let now = parts.clock.now();
        let Some(standing) = parts.interviews.end(&id, now).await? else {
            return Ok(None);
        };
        let withdrawn = parts.grants.withdraw(&Scope::Session(id), now).await?;
        Ok(Some((standing, withdrawn)))
    }
}

const fn fresh(interview: Interview) -> InterviewStanding {
    InterviewStanding {
        interview,
        issued: 0,
    }
}

fn facts_of(interview: &Interview) -> Vec<(&'static str, String)> {
    vec![
        ("session_id", interview.session_id.to_string()),
        ("subject", interview.subject.to_string()),
        ("expires_at", interview.expires_at.to_string()),
    ]
}

fn taken() -> Refusal {
    let text = "An interview of this id is registered with other members. Choose another id, or send the same members again.";
    Refusal::new(Code::InterviewExists, text).member("session_id")
}

fn unknown() -> Refusal {
    Refusal::new(Code::NotFound, "There is no interview of this id.")
}

fn not_stored(error: &StoreError) -> Refusal {
    let text = "The server can't keep its interviews. Try again; nothing is done twice.";
    Refusal::new(Code::StoreUnavailable, text)
        .internal(error.to_string())
        .retry_after(Duration::from_secs(1))
}
