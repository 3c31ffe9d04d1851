//! A fault with the facts around it, and the failure it becomes.

use std::{fmt::Write as _, time::Duration};

use hallpass_core::{
    audit::UpstreamFacts, journal::FailedAttempt, ports::MintFailure, refusal::Refusal,
};

use crate::{
    envelope::Words,
    fault::{self, Fault},
};

/// A fault and what is known about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    fault: Fault,
    member: Option<String>,
    words: Option<Words>,
    wait: Option<Duration>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            member: None,
            words: None,
            wait: None,
        }
    }
}

impl Failure {
    /// Names the request's member at fault.
    pub(crate) fn member(mut self, member: Option<String>) -> Self {
        self.member = member;
        self
    }

    /// Adds the upstream's own words for it.
    pub(crate) const fn words(mut self, words: Words) -> Self {
        self.words = Some(words);
        self
    }

    /// Adds how long the upstream wants us to wait.
    pub(crate) const fn wait(mut self, wait: Option<Duration>) -> Self {
        self.wait = wait;
        self
    }

    /// What went wrong.
    pub(crate) const fn fault(&self) -> Fault {
        self.fault
    }

    /// How long the upstream wants us to wait, where it says.
    pub(crate) const fn asked_wait(&self) -> Option<Duration> {
        self.wait
    }

    /// The attempt as the trail keeps it when another follows.
    pub(crate) fn to_attempt(&self, facts: &UpstreamFacts, duration: Duration) -> FailedAttempt {
        let row = self.fault.row();
        let mut upstream = facts.clone();
        upstream.orphan_possible = row.orphan_possible;
        FailedAttempt {
            code: row.code,
            reason: Some(internal(row.operator, self.words, &upstream)),
            upstream,
            duration,
        }
    }

    /// What the caller and the operator are told.
    pub(crate) fn into_mint_failure(self, mut facts: UpstreamFacts) -> Box<MintFailure> {
        let row = self.fault.row();
        facts.orphan_possible = row.orphan_possible;
        let mut refusal = Refusal::new(row.code, fault::sentence(row.code)).internal(internal(
            row.operator,
            self.words,
            &facts,
        ));
        refusal.member = self.member;
        refusal.retry_after = fault::default_wait(row.code).map(|usual| self.wait.unwrap_or(usual));
        Box::new(MintFailure {
            refusal,
            upstream: facts,
        })
    }
}

fn internal(operator: &str, words: Option<Words>, facts: &UpstreamFacts) -> String {
    let name = facts.name.as_deref().unwrap_or("-");
    let mut text = format!("upstream {name}: {operator}");
    // Writing into a String can't fail.
    if let Some(status) = facts.status {
        let _ = write!(text, " (status {status}");
        if let Some(Words { kind, code }) = words {
            let _ = write!(text, ", type {kind}, code {code}");
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_reads_name_reason_and_words() {
        let facts = UpstreamFacts {
            name: Some("main".into()),
            status: Some(401),
            ..UpstreamFacts::default()
        };
        let words = Words {
            kind: "invalid_request_error",
            code: "invalid_api_key",
        };
        let failure = Failure::from(Fault::KeyRefused).words(words);
        assert_eq!(
            failure.into_mint_failure(facts).refusal.internal.as_deref(),
            Some(
                "upstream main: it refused the standard key: check api_key (status 401, type invalid_request_error, code invalid_api_key)"
            )
        );
    }

    #[test]
    fn a_wait_is_only_given_where_trying_again_helps() {
        let wait = |fault: Fault, wait| {
            Failure::from(fault)
                .wait(wait)
                .into_mint_failure(UpstreamFacts::default())
                .refusal
                .retry_after
        };
        let nine = Some(Duration::from_secs(9));
        assert_eq!(wait(Fault::RateLimited, nine), nine);
        assert_eq!(wait(Fault::QuotaExhausted, nine), None);
        assert_eq!(wait(Fault::RateLimited, None), Some(Duration::from_secs(1)));
    }
}
