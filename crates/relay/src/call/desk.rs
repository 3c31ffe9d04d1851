//! Where calls are made.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    Timestamp,
    audit::Action,
    call::{CallMaker, CallOrder, CallTerms, MadeCall, StandingCall, StandingCalls},
    code::Code,
    grant::Mode,
    ids::LiveId,
    journal::Journal,
    live::EndReason,
    pipeline::{Broker, Opened, PassUse},
    ports::{Clock, MintFailure},
    refusal::Refusal,
    request::RequestFacts,
};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::{
    hang_up,
    watch::{Patience, Watch},
};
use crate::meter::Prices;

/// Longer than any call lives at OpenAI, which ends each after an hour.
const LONGEST_CALL: Duration = Duration::from_secs(2 * 60 * 60);

/// The waits before a store is told again that a call is over.
const FORGET_AGAIN: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// What calls need.
pub struct CallParts {
    /// Checks passes and records what becomes of them.
    pub broker: Arc<Broker>,
    /// Makes calls.
    pub maker: Arc<dyn CallMaker>,
    /// Keeps those that are not known to be over.
    pub standing: Arc<dyn StandingCalls>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What models cost.
    pub prices: Arc<Prices>,
    /// How long making one may take.
    pub deadline: Duration,
    /// How long things may take while one is live.
    pub patience: Patience,
}

/// Makes calls, watches them and ends them.
pub struct CallDesk {
    pub(super) parts: CallParts,
    pub(super) tasks: TaskTracker,
}

/// What a browser asks for.
#[derive(Debug)]
pub struct CallAsk {
    /// Its pass, as it was sent.
    pub token: String,
    /// Its offer.
    pub offer: String,
    /// The model it named, if any.
    pub model: Option<String>,
    /// The data channel it made beforehand, if any.
    pub channel_id: Option<u16>,
}

/// What a browser gets.
#[derive(Debug)]
pub struct AnsweredCall {
    /// Our id of the call.
    pub session: LiveId,
    /// The answer to its offer.
    pub answer: String,
}

impl CallDesk {
    /// A desk without calls.
    #[must_use]
    pub fn new(parts: CallParts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            tasks: TaskTracker::new(),
        })
    }

    /// Makes the call a pass is for. Its end is seen to from then on, also
    /// where the caller goes away before it is answered.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded.
    pub async fn call(
        self: &Arc<Self>,
        request: Arc<RequestFacts>,
        ask: CallAsk,
    ) -> Result<AnsweredCall, Refusal> {
        let desk = self.clone();
        let made = self
            .tasks
            .spawn(async move { desk.make(request, ask).await });
        made.await.unwrap_or_else(|_| Err(defect()))
    }

    /// Waits until every call is ended and hung up.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn make(
        self: Arc<Self>,
        request: Arc<RequestFacts>,
        ask: CallAsk,
    ) -> Result<AnsweredCall, Refusal> {
        let pass = PassUse {
            token: &ask.token,
            mode: Mode::Call,
            model: ask.model.as_deref(),
        };
        let opened = self.parts.broker.open_session(request, &pass).await?;
        let order = CallOrder {
            offer: ask.offer,
            session: opened.session().clone(),
            safety_identifier: opened.safety_identifier(),
            channel_id: ask.channel_id,
            deadline: self.parts.deadline,
            journal: Journal::default(),
        };
        let made = match self.parts.maker.make(order).await {
            Ok(made) => made,
            Err(failure) => return Err(unmade(opened, *failure).await),
        };
        self.stand(opened, made).await
    }

    /// From here on there is a call, and the browser does not know it yet.
    async fn stand(
        self: Arc<Self>,
        opened: Opened,
        made: MadeCall,
    ) -> Result<AnsweredCall, Refusal> {
        let live = opened.live().clone();
        live.set_upstream_id(&made.place.call_id);
        let standing = StandingCall {
            session: live.id().clone(),
            grant: live.grant().id.clone(),
            place: made.place,
            ends_at: live.facts().ends_at,
            terms: Some(CallTerms {
                role: live.facts().role.clone(),
                session: opened.session().as_json().to_owned(),
                started_at: live.facts().started_at,
            }),
        };
        let facts = vec![
            ("call", standing.place.call_id.clone()),
            ("upstream", standing.place.upstream.to_string()),
        ];
        // Both are on disk before the browser can connect: without the answer
        // to its offer there is no call a crash could leave behind.
        let recorded = match self.parts.standing.keep(&standing).await {
            Ok(()) => opened.record(Action::SessionCall, facts).await,
            Err(error) => Err(Refusal::new(
                Code::StoreUnavailable,
                "The server can't keep its records now. Try again with a new secret.",
            )
            .internal(error.to_string())
            .retry_after(Duration::from_secs(1))),
        };
        if let Err(refusal) = recorded {
            self.take_back(opened, standing);
            return Err(refusal);
        }
        let desk = self.clone();
        self.tasks
            .spawn(async move { desk.see_through(opened, standing).await });
        Ok(AnsweredCall {
            session: live.id().clone(),
            answer: made.answer,
        })
    }

    /// Watches a call and ends it.
    async fn see_through(self: Arc<Self>, opened: Opened, standing: StandingCall) {
        let patience = self.parts.patience;
        let maker = self.parts.maker.clone();
        let prices = self.parts.prices.clone();
        let watch = Watch::new(opened, standing.place.clone(), maker, prices, patience);
        self.until_over(watch, standing).await;
    }

    /// Ends a call once its watch says so; one that another replica has taken
    /// over is not this one's to end.
    pub(super) async fn until_over(&self, watch: Watch, standing: StandingCall) {
        let (opened, reason, mut facts) = watch.until_over().await;
        if reason == EndReason::TakenOver {
            facts.push(("call", standing.place.call_id));
            return opened.hand_over(facts).await;
        }
        self.end(opened, standing, reason, facts).await;
    }

    /// Ends a call whose browser gets no answer.
    fn take_back(self: Arc<Self>, opened: Opened, standing: StandingCall) {
        let desk = self.clone();
        self.tasks.spawn(async move {
            let reason = EndReason::UpstreamUnreachable;
            desk.end(opened, standing, reason, Vec::new()).await;
        });
    }

    async fn end(
        &self,
        opened: Opened,
        standing: StandingCall,
        reason: EndReason,
        mut facts: Vec<(&'static str, String)>,
    ) {
        // Whoever looks at it while it is hung up sees that it is ending.
        opened.live().end(reason);
        let over_at = surely_over(standing.ends_at);
        let (maker, clock) = (&*self.parts.maker, &*self.parts.clock);
        let hung_up = hang_up::until_sure(maker, clock, &standing.place, over_at).await;
        facts.push(("call", standing.place.call_id.clone()));
        facts.push(("hang_up_attempts", hung_up.attempts.to_string()));
        facts.push(("hang_up_confirmed", hung_up.confirmed.to_string()));
        opened.close(reason, facts).await;
        self.forget(&standing.place.call_id).await;
    }

    /// Tried again while the store is away. A call that stays kept for all that
    /// is looked for once more at the next start, and found to be over.
    pub(super) async fn forget(&self, call_id: &str) {
        for wait in FORGET_AGAIN {
            match self.parts.standing.forget(call_id).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(call = call_id, %error, "trying again"),
            }
            // Who stops waits for nothing that can be done later.
            if self.tasks.is_closed() {
                break;
            }
            sleep(wait).await;
        }
        if let Err(error) = self.parts.standing.forget(call_id).await {
            tracing::error!(call = call_id, %error, "a call that is over stays on record");
        }
    }
}

/// When a call that should end at a time is over at OpenAI, whatever happens.
pub(super) fn surely_over(ends_at: Timestamp) -> Timestamp {
    ends_at
        .saturating_add(LONGEST_CALL)
        .unwrap_or(Timestamp::MAX)
}

/// Records that OpenAI made no call.
async fn unmade(opened: Opened, failure: MintFailure) -> Refusal {
    let refusal = failure.refusal;
    let reason = match refusal.code {
        Code::UpstreamRejected | Code::InvalidMember => EndReason::ProfileRefused,
        _ => EndReason::UpstreamUnreachable,
    };
    let mut facts = vec![("code", refusal.code.as_str().to_owned())];
    let upstream = failure.upstream;
    facts.extend(upstream.name.map(|name| ("upstream", name.to_string())));
    facts.extend(upstream.request_id.map(|id| ("upstream_request_id", id)));
    facts.extend(upstream.status.map(|status| ("status", status.to_string())));
    opened.close(reason, facts).await;
    refusal
}

fn defect() -> Refusal {
    Refusal::new(
        Code::Internal,
        "Something failed inside this server. Tell its operator.",
    )
    .internal("making a call ended in a panic")
}
