//! The order of the steps, and what fails closed.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    audit::{Action, Outcome, Phase},
    code::Code,
    pipeline::Issued,
    policy::MintAsk,
    ports::Clock,
    refusal::Refusal,
};

use crate::fakes::{FakeQuotas, Upstream, World, bearer, request, word};

/// What a handler does.
pub(crate) async fn mint(world: &World, who: &str, ask: &MintAsk) -> Result<Issued, Refusal> {
    let known = world.broker.authenticate(request(), &bearer(who)).await?;
    let slip = known.open_audit(Action::GrantCreate);
    let permit = slip.authorise(ask).await?;
    let admission = permit.admit().await?;
    let minted = admission.mint().await?;
    minted.record().await?.close_audit().await
}

async fn code_of(world: &World) -> Code {
    let refused = mint(world, "alice candidate", &MintAsk::default()).await;
    refused.unwrap_err().code
}

#[tokio::test]
async fn the_intent_is_durable_before_openai_is_asked_and_the_outcome_before_the_secret_leaves() {
    let world = World::new();

    let issued = mint(&world, "alice candidate", &MintAsk::default()).await;

    assert!(issued.is_ok());
    assert_eq!(
        world.journal.steps(),
        [
            "queue intent pending",
            "durable intent pending",
            "mint",
            "record",
            "queue outcome success",
            "durable outcome success",
        ]
    );
}

#[tokio::test]
async fn a_lost_intent_means_that_openai_is_never_asked() {
    let world = World::new();
    world.audit.lose(Phase::Intent);

    assert_eq!(code_of(&world).await, Code::AuditUnavailable);
    assert_eq!(world.journal.steps(), ["queue intent pending"]);
    assert!(world.minter.orders().is_empty());
}

#[tokio::test]
async fn a_lost_outcome_means_that_the_secret_stays() {
    let world = World::new();
    world.audit.lose(Phase::Outcome);

    assert_eq!(code_of(&world).await, Code::AuditUnavailable);
    assert_eq!(world.minter.orders().len(), 1);
    assert_eq!(world.audit.events().len(), 1, "the intent alone");
}

#[tokio::test]
async fn a_late_intent_means_that_openai_is_never_asked_and_an_end_in_the_trail() {
    let world = World::new();
    world.audit.delay(Phase::Intent);

    assert_eq!(code_of(&world).await, Code::AuditUnavailable);
    assert!(world.minter.orders().is_empty());
    let finals = world.audit.finals();
    assert_eq!(finals.len(), 1);
    assert_eq!(word(&finals[0].outcome), "abandoned");
}

#[tokio::test]
async fn a_late_outcome_means_that_the_secret_stays() {
    let world = World::new();
    world.audit.delay(Phase::Outcome);

    assert_eq!(code_of(&world).await, Code::AuditUnavailable);
    assert_eq!(world.audit.finals().len(), 1, "the outcome is in line");
}

#[tokio::test]
async fn a_registry_that_is_away_means_no_secret_and_a_record_of_the_orphan() {
    let world = World::new();
    world.grants.go_away();

    assert_eq!(code_of(&world).await, Code::StoreUnavailable);
    let finals = world.audit.finals();
    assert_eq!(finals.len(), 1);
    assert_eq!(word(&finals[0].outcome), "store_unavailable");
    assert!(finals[0].upstream.as_ref().unwrap().orphan_possible);
    assert!(finals[0].grant.is_none());
}

#[tokio::test]
async fn where_registry_and_trail_are_away_the_trail_is_named() {
    let world = World::new();
    world.grants.go_away();
    world.audit.lose(Phase::Outcome);

    assert_eq!(code_of(&world).await, Code::AuditUnavailable);
}

#[tokio::test]
async fn openais_refusal_is_recorded_and_passed_on() {
    let world = World::new();
    world.minter.plan(Upstream::Refuses(Code::UpstreamTimeout));

    assert_eq!(code_of(&world).await, Code::UpstreamTimeout);
    let finals = world.audit.finals();
    let [failed] = finals.as_slice() else {
        panic!("one final record")
    };
    let reason = Some("as planned".to_owned());
    let code = Code::UpstreamTimeout;
    assert_eq!(failed.outcome, Outcome::Failed { code, reason });
}

#[tokio::test]
async fn openais_refusal_is_not_passed_on_where_it_can_t_be_recorded() {
    let world = World::new();
    world.minter.plan(Upstream::Refuses(Code::UpstreamTimeout));
    world.audit.lose(Phase::Outcome);

    assert_eq!(code_of(&world).await, Code::AuditUnavailable);
}

#[tokio::test]
async fn a_reached_limit_leaves_one_record_and_nothing_minted() {
    let world = World::with_quotas(Arc::new(FakeQuotas::Reached));

    let refusal = mint(&world, "alice candidate", &MintAsk::default())
        .await
        .unwrap_err();

    assert_eq!(refusal.code, Code::RateLimited);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(12)));
    assert_eq!(refusal.limit.unwrap().name, "caller-minute");
    assert_eq!(
        world.journal.steps(),
        ["queue outcome rate_limited", "durable outcome rate_limited"]
    );
}

#[tokio::test]
async fn limits_that_can_t_be_told_let_nobody_through() {
    let world = World::with_quotas(Arc::new(FakeQuotas::Away));

    assert_eq!(code_of(&world).await, Code::StoreUnavailable);
    assert!(world.minter.orders().is_empty());
    assert_eq!(world.audit.finals().len(), 1);
}

#[tokio::test]
async fn openai_gets_the_profiles_session_its_life_and_a_hash_in_the_subjects_place() {
    let world = World::new();
    let ask = MintAsk {
        expires_after_seconds: Some(90),
        ..MintAsk::default()
    };

    mint(&world, "alice candidate", &ask).await.unwrap();
    mint(&world, "alice candidate", &ask).await.unwrap();
    mint(&world, "bob candidate", &ask).await.unwrap();

    let orders = world.minter.orders();
    let [first, again, other] = orders.as_slice() else {
        panic!("three orders")
    };
    assert_eq!(first.session.model(), Some("gpt-realtime-2.1"));
    assert_eq!(first.expires_after_seconds, 90);
    assert_eq!(first.deadline, Duration::from_secs(5));
    assert_eq!(first.safety_identifier.len(), 64);
    assert!(!first.safety_identifier.contains("alice"));
    assert_eq!(first.safety_identifier, again.safety_identifier);
    assert_ne!(first.safety_identifier, other.safety_identifier);
}

#[tokio::test]
async fn the_grant_of_registry_trail_and_answer_is_one() {
    let world = World::new();
    let issued = mint(&world, "alice candidate", &MintAsk::default())
        .await
        .unwrap();

    let recorded = world.audit.finals()[0].grant.clone().unwrap();
    let registered = world.broker.grants().find(&issued.grant().id).await;

    assert_eq!(*recorded, *issued.grant());
    assert_eq!(registered.unwrap().as_ref(), Some(issued.grant()));
    let intent = world.audit.events()[0].draft.clone().unwrap();
    assert_eq!(intent.id, issued.grant().id);
    assert_eq!(issued.grant().created_at, world.clock.now());
}

#[tokio::test]
async fn the_same_clock_and_ids_give_the_same_grant() {
    let (one, two) = (World::new(), World::new());
    one.clock.advance(Duration::from_secs(3));
    two.clock.advance(Duration::from_secs(3));

    let ask = MintAsk::default();
    let first = mint(&one, "alice candidate", &ask).await.unwrap();
    let second = mint(&two, "alice candidate", &ask).await.unwrap();

    assert_eq!(first.grant(), second.grant());
}
