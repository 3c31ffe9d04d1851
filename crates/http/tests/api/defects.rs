//! Handlers that panic: wherever it happens, one final record tells of it.

use async_trait::async_trait;
use hallpass_core::{
    audit::{Action, Outcome},
    caller::{Authentication, Presented},
    code::Code,
    ports::{Authenticator, Quotas, TakeError},
    quota::{Charge, LimitState},
};

use crate::{
    fakes::Upstream,
    service::{As, MINT, Service, empty, post},
};

struct Panics;

#[async_trait]
impl Authenticator for Panics {
    async fn authenticate(&self, _: &Presented<'_>) -> Authentication {
        panic!("as planned")
    }
}

#[async_trait]
impl Quotas for Panics {
    async fn take(&self, _: &[Charge]) -> Result<Vec<LimitState>, TakeError> {
        panic!("as planned")
    }
}

async fn one_record_of_a_defect(service: Service, action: Action, caller: Option<&str>) {
    let answer = service.ask(empty(post(MINT).by("alice service"))).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (500, "internal"));
    let finals = service.world.audit.finals();
    assert_eq!(finals.len(), 1, "{finals:?}");
    assert_eq!(finals[0].action, action);
    let failed = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Failed {
                code: Code::Internal,
                ..
            }
        )
    };
    assert!(failed(&finals[0].outcome), "{:?}", finals[0].outcome);
    assert!(finals[0].request.is_some(), "with the request's id");
    let named = finals[0].caller.as_ref();
    assert_eq!(named.map(|caller| caller.subject.as_str()), caller);
}

#[tokio::test]
async fn a_defect_while_the_sender_is_looked_at_is_recorded() {
    let service = Service::with_authenticator(Panics);
    one_record_of_a_defect(service, Action::Authenticate, None).await;
}

#[tokio::test]
async fn a_defect_before_the_intent_is_recorded_with_its_caller() {
    let service = Service::with_quotas(Panics);
    one_record_of_a_defect(service, Action::GrantCreate, Some("alice")).await;
}

#[tokio::test]
async fn a_defect_after_the_intent_ends_it_once() {
    let service = Service::new();
    service.world.minter.plan(Upstream::Panics);
    let answer = service.ask(empty(post(MINT).by("alice service"))).await;
    assert_eq!(answer.status, 500);
    assert_eq!(service.world.audit.finals().len(), 1);
}

#[tokio::test]
async fn a_defect_before_anyone_is_looked_at_is_recorded() {
    let service = Service::with_defective_health();
    let answer = service.ask(empty(crate::service::get("/health"))).await;
    assert_eq!(answer.status, 500);
    let finals = service.world.audit.finals();
    assert_eq!(finals.len(), 1);
    assert_eq!(finals[0].action, Action::Authenticate);
}
