//! What the trail is told: of each request one final record, never a secret.

use std::sync::Arc;

use hallpass_core::{
    audit::{Action, Phase},
    caller::Presented,
    code::Code,
    grant::Mode,
    ids::SessionId,
    permission::Permission,
    policy::MintAsk,
    refusal::Refusal,
};
use serde_json::{Map, Value, json};

use crate::{
    fakes::{FakeQuotas, Upstream, World, bearer, request, word},
    pipeline::mint,
};

/// A request that is refused, and with which code.
type Case = (&'static str, MintAsk, Code);

fn members(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        panic!("an object")
    };
    members
}

fn profile(name: &str) -> MintAsk {
    MintAsk {
        profile: Some(name.to_owned()),
        ..MintAsk::default()
    }
}

fn cases() -> Vec<Case> {
    let ask = MintAsk::default;
    let session = |value| MintAsk {
        session: members(value),
        ..MintAsk::default()
    };
    let lives = |seconds| MintAsk {
        expires_after_seconds: Some(seconds),
        ..MintAsk::default()
    };
    let other_session = MintAsk {
        session_id: SessionId::new("interview-2").ok(),
        ..MintAsk::default()
    };
    let relayed = MintAsk {
        mode: Some(Mode::Relay),
        ..profile("relayed")
    };
    let relay = MintAsk {
        mode: Some(Mode::Relay),
        ..MintAsk::default()
    };
    let other_model = MintAsk {
        match_profile: true,
        ..session(json!({"type": "realtime", "model": "gpt-other"}))
    };
    vec![
        ("malformed_credential", ask(), Code::MalformedCredential),
        ("invalid_credential", ask(), Code::InvalidCredential),
        ("expired_credential", ask(), Code::ExpiredCredential),
        ("revoked_credential", ask(), Code::RevokedCredential),
        ("alice locked", ask(), Code::PermissionDenied),
        ("alice reader", ask(), Code::PermissionDenied),
        ("alice nosuchrole", ask(), Code::PermissionDenied),
        ("alice candidate", profile("nosuch"), Code::UnknownProfile),
        (
            "alice candidate",
            profile("relayed"),
            Code::ProfileNotAllowed,
        ),
        ("alice candidate", other_model, Code::ProfileNotAllowed),
        ("alice candidate", profile("bound"), Code::SessionIdRequired),
        (
            "alice candidate interview-1",
            other_session,
            Code::SessionMismatch,
        ),
        ("alice candidate", relay, Code::ModeNotAllowed),
        ("alice service", relayed, Code::ModeUnavailable),
        ("alice candidate", lives(9), Code::ExpiryOutOfRange),
        ("alice candidate", lives(601), Code::ExpiryOutOfRange),
        ("alice candidate", lives(u64::MAX), Code::ExpiryOutOfRange),
        (
            "alice candidate",
            session(json!({"instructions": "Do as I say."})),
            Code::OverrideNotAllowed,
        ),
    ]
}

#[tokio::test]
async fn each_refusal_leaves_exactly_one_final_record_and_mints_nothing() {
    for (who, ask, code) in cases() {
        let world = World::new();

        let refused = mint(&world, who, &ask).await;

        let refusal = refused.err().map(|refusal| refusal.code);
        assert_eq!(refusal, Some(code), "{who} {ask:?}");
        let events = world.audit.events();
        assert_eq!(events.len(), 1, "{code}");
        assert_eq!(events[0].phase, Phase::Outcome, "{code}");
        assert_eq!(word(&events[0].outcome), code.as_str());
        assert!(events[0].request.is_some(), "{code}");
        assert!(world.minter.orders().is_empty(), "{code}");
    }
}

#[tokio::test]
async fn no_refusal_is_told_that_can_t_be_recorded() {
    for (who, ask, _) in cases() {
        let world = World::new();
        world.audit.lose(Phase::Outcome);

        let refused = mint(&world, who, &ask).await;

        let code = refused.err().map(|refusal| refusal.code);
        assert_eq!(code, Some(Code::AuditUnavailable), "{who} {ask:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_credential_is_recorded_too() {
    let world = World::new();

    let refused = world
        .broker
        .authenticate(request(), &Presented::default())
        .await;

    let code = refused.err().map(|refusal| refusal.code);
    assert_eq!(code, Some(Code::MissingCredential));
    assert_eq!(world.audit.finals().len(), 1);
    assert_eq!(world.audit.finals()[0].action, Action::Authenticate);
}

#[tokio::test]
async fn what_is_not_minting_is_recorded_when_done_and_when_refused() {
    let world = World::new();
    let enter = async |who: &'static str| {
        let known = world.broker.authenticate(request(), &bearer(who)).await;
        known.unwrap().open_audit(Action::GrantRead)
    };

    let denied = enter("alice locked").await;
    let denied = denied.require(Permission::GrantsReadOwn).await;
    let allowed = enter("alice reader").await;
    let allowed = allowed.require(Permission::GrantsReadOwn).await.unwrap();
    let done = allowed.done(vec![("count", "0".to_owned())]).await;

    let code = denied.err().map(|refusal| refusal.code);
    assert_eq!(code, Some(Code::PermissionDenied));
    assert!(done.is_ok());
    let outcomes: Vec<&str> = world
        .audit
        .finals()
        .iter()
        .map(|e| word(&e.outcome))
        .collect();
    assert_eq!(outcomes, ["permission_denied", "success"]);
}

#[tokio::test]
async fn a_refusal_names_the_member_at_fault_to_caller_and_trail() {
    let world = World::new();
    let ask = MintAsk {
        session: members(json!({"audio": {"output": {"speed": 2}}})),
        ..MintAsk::default()
    };

    let refusal: Refusal = mint(&world, "alice candidate", &ask).await.unwrap_err();

    assert_eq!(
        refusal.member.as_deref(),
        Some("session.audio.output.speed")
    );
    let recorded = format!("{:?}", world.audit.finals()[0].outcome);
    assert!(
        recorded.contains("session.audio.output.speed"),
        "{recorded}"
    );
}

#[tokio::test]
async fn the_trail_never_holds_a_secret() {
    let worlds = [World::new(), World::new(), World::new()];
    worlds[1].grants.go_away();
    worlds[2]
        .minter
        .plan(Upstream::Refuses(Code::UpstreamBadAnswer));
    for world in worlds {
        let issued = mint(&world, "alice candidate", &MintAsk::default()).await;
        let value = format!("ek_{:032x}", 1);
        if let Ok(issued) = &issued {
            assert_eq!(issued.secret().expose(), value);
            assert!(!format!("{issued:?}").contains(&value));
        }
        let trail = format!("{:?}", world.audit.events());
        assert!(!trail.contains(&value), "{trail}");
    }
}

#[tokio::test]
async fn a_refused_quota_tells_who_was_refused() {
    let world = World::with_quotas(Arc::new(FakeQuotas::Reached));

    let refused = mint(&world, "alice candidate", &MintAsk::default()).await;

    assert!(refused.is_err());
    let caller = world.audit.finals()[0].caller.clone().unwrap();
    assert_eq!(caller.subject.as_str(), "alice");
}
