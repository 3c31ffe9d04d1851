//! Callers who go away in the middle.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use hallpass_core::{
    audit::{Outcome, Phase},
    policy::MintAsk,
};

use crate::{
    fakes::{Upstream, World},
    pipeline::mint,
};

/// Polls a mint so many times, then drops it; true when it had ended before.
fn poll_then_drop(world: &World, polls: usize) -> bool {
    let ask = MintAsk::default();
    let mut future = pin!(mint(world, "alice candidate", &ask));
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).any(|_| future.as_mut().poll(&mut context).is_ready())
}

#[test]
fn a_mint_dropped_while_openai_thinks_is_recorded_as_abandoned() {
    let world = World::new();
    world.minter.plan(Upstream::NeverAnswers);

    assert!(!poll_then_drop(&world, 50));

    let finals = world.audit.finals();
    assert_eq!(finals.len(), 1);
    assert_eq!(finals[0].outcome, Outcome::Abandoned);
    let upstream = finals[0].upstream.as_ref().unwrap();
    assert!(upstream.orphan_possible, "OpenAI may have minted");
}

#[test]
fn wherever_a_mint_is_dropped_there_is_one_final_record() {
    let (mut before, mut after) = (0, 0);
    for polls in 1..100 {
        let world = World::new();
        let ended = poll_then_drop(&world, polls);

        let events = world.audit.events();
        let announced = events.iter().any(|event| event.phase == Phase::Intent);
        assert_eq!(world.audit.finals().len(), 1, "after {polls} polls");
        if ended {
            assert!(before >= 1, "it waits before it announces");
            assert!(after >= 4, "the mint has an await for each port");
            return;
        }
        *(if announced { &mut after } else { &mut before }) += 1;
    }
    panic!("the mint never ended");
}

#[test]
fn a_request_that_was_never_looked_at_owes_nothing() {
    let world = World::new();
    assert!(!poll_then_drop(&world, 0));
    assert!(world.audit.events().is_empty());
}

#[test]
fn a_mint_dropped_before_its_intent_is_durable_asks_openai_nothing() {
    let world = World::new();
    let intent_queued = |world: &World| world.audit.events().len() == 1;
    let polls = (0..20).find(|polls| {
        let world = World::new();
        let ask = MintAsk::default();
        let mut future = pin!(mint(&world, "alice candidate", &ask));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..*polls {
            let _ = future.as_mut().poll(&mut context);
        }
        intent_queued(&world)
    });

    assert!(!poll_then_drop(&world, polls.unwrap()));

    assert!(world.minter.orders().is_empty());
    assert_eq!(
        world.journal.steps(),
        ["queue intent pending", "queue outcome abandoned"]
    );
}
