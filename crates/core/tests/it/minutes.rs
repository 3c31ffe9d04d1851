//! Budgets of minutes: warned before, ended at, and refused after.

use std::time::Duration;

use hallpass_core::{
    code::Code,
    grant::Mode,
    live::EndReason,
    pipeline::{Opened, PassUse},
    policy::MintAsk,
    profile::Profile,
    role::{ProfileRule, Role},
    usage::{Budget, Limit},
};

use crate::{
    fakes::{World, policy, profile, realtime, request, role},
    pipeline::mint,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A world with a role whose people have so many minutes.
fn world(session: Option<u32>, day: Option<u32>) -> World {
    let limit = |minutes: Option<u32>| Limit {
        cost: None,
        live: minutes.map(|minutes| MINUTE * minutes),
    };
    let timed = Role {
        budget: Budget {
            session: limit(session),
            subject_day: limit(day),
            role_day: Limit::default(),
        },
        ..role("timed", &["grants:create"], ProfileRule::All)
    };
    let relayed = Profile {
        mode: Mode::Relay,
        modes: vec![Mode::Relay],
        ..profile("relayed", realtime())
    };
    let mut rules = policy();
    rules.served_modes = vec![Mode::Relay];
    rules.roles.insert(timed.name.clone(), timed.into());
    rules.profiles.insert(relayed.name.clone(), relayed.into());
    World::ruled(rules)
}

/// A session of alice's, live from now on.
async fn session(world: &World) -> Opened {
    let ask = MintAsk {
        profile: Some("relayed".to_owned()),
        ..MintAsk::default()
    };
    let issued = mint(world, "alice timed", &ask).await;
    let token = issued.unwrap().secret().expose().to_owned();
    let pass = PassUse {
        token: &token,
        mode: Mode::Relay,
        model: None,
    };
    world.broker.open_session(request(), &pass).await.unwrap()
}

#[tokio::test]
async fn a_session_is_warned_once_at_eighty_hundredths_and_ended_at_its_minutes() {
    let world = world(Some(10), None);
    let opened = session(&world).await;
    assert!(opened.needs_ticks());
    world.clock.advance(MINUTE * 7);
    assert_eq!(opened.tick(), None);
    world.clock.advance(MINUTE);
    assert_eq!(opened.tick(), Some(("session_minutes", 80)));
    world.clock.advance(MINUTE);
    assert_eq!(opened.tick(), None, "once");
    assert_eq!(opened.live().end_reason(), None);
    world.clock.advance(MINUTE);
    opened.tick();
    assert_eq!(opened.live().end_reason(), Some(EndReason::Budget));
}

#[tokio::test]
async fn a_days_minutes_count_over_all_sessions_and_then_refuse() {
    let world = world(None, Some(15));
    let first = session(&world).await;
    world.clock.advance(MINUTE * 10);
    first.tick();
    drop(first);
    let second = session(&world).await;
    world.clock.advance(MINUTE * 5);
    second.tick();
    assert_eq!(second.live().end_reason(), Some(EndReason::Budget));
    let ask = MintAsk {
        profile: Some("relayed".to_owned()),
        ..MintAsk::default()
    };
    let refused = mint(&world, "alice timed", &ask).await.unwrap_err();
    assert_eq!(refused.code, Code::BudgetExhausted);
    assert!(
        mint(&world, "bob timed", &ask).await.is_ok(),
        "another's day"
    );
}
