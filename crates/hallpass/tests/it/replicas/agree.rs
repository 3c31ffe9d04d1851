//! What one replica does holds at all.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hallpass_testkit::chaos::ChaosProxy;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Database, Ground, LIMIT, Place, Plan, REPLICAS, Road, until};
use crate::support::{client, post, send, sim, try_send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_the_sums_and_a_replica_that_dies_takes_nothing_with_it() {
    let mut place = Place::start().await;
    let bearer = place.sites[0].token("user-1", 600);
    let url = format!("{}/api/generate-client-secret", place.url);
    let client = client();
    let mut minted = 0;
    for _ in 0..LIMIT / 2 {
        minted += usize::from(send(post(&client, &url, &bearer, &json!({}))).await.status == 201);
    }
    place.kill(1);
    for _ in 0..LIMIT {
        // The one that died is asked now and then, and the next in its place.
        let answer = try_send(post(&client, &url, &bearer, &json!({})))
            .await
            .unwrap();
        assert!(matches!(answer.status, 201 | 429), "{}", answer.text);
        minted += usize::from(answer.status == 201);
    }
    assert_eq!(minted, LIMIT);
    place.start_again(1);
    for replica in 0..REPLICAS {
        let answer = place.mint(replica, &bearer, &json!({})).await;
        assert_eq!(answer.status, 429, "also one that has just started");
    }
    assert_eq!(sim::log(&client, &place.ground.sim.url).await.len(), LIMIT);
    let recorded = place.sites.iter().map(|site| {
        let records = site.trail().records();
        let minted = records.iter();
        minted
            .filter(|it| it.action() == "grant.create" && it.outcome() == "success")
            .count()
    });
    assert_eq!(recorded.sum::<usize>(), LIMIT, "each in one trail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_made_here_is_refreshed_there_and_ended_by_a_third() {
    let place = Place::start().await;
    let bearer = place.sites[0].token("user-1", 600);
    let shortest = json!({ "expires_after": { "anchor": "created_at", "seconds": 10 } });
    let first = place.mint(0, &bearer, &shortest).await.json();
    let path = |grant: &serde_json::Value, what: &str| {
        format!(
            "/api/client-secrets/{}/{what}",
            grant["id"].as_str().unwrap()
        )
    };
    let early = place
        .ask(1, &path(&first, "refresh"), &bearer, &json!({}))
        .await;
    assert_eq!((early.status, &*early.code()), (409, "refresh_too_early"));
    let wait: u64 = early.header("retry-after").parse().unwrap();
    tokio::time::sleep(Duration::from_secs(wait)).await;
    let next = place
        .ask(1, &path(&first, "refresh"), &bearer, &shortest)
        .await;
    assert_eq!(next.status, 201, "{}", next.text);
    let next = next.json();
    assert_eq!(next["lineage"], first["lineage"]);
    let again = place
        .ask(2, &path(&first, "refresh"), &bearer, &json!({}))
        .await;
    assert_eq!((again.status, &*again.code()), (409, "grant_superseded"));

    let id = next["id"].as_str().unwrap();
    let revoked = place
        .admin_post(2, &format!("/api/admin/grants/{id}/revoke"), &json!({}))
        .await;
    assert_eq!(revoked.json()["state"], "revoked");
    until("it is revoked at the first", async || {
        let answer = place
            .ask(0, &path(&next, "refresh"), &bearer, &json!({}))
            .await;
        answer.code() == "grant_revoked"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_at_one_stops_and_closes_at_all_within_its_bound() {
    let place = Place::start().await;
    let bearer = place.sites[0].token("user-1", 600);
    for replica in 0..REPLICAS {
        assert_eq!(place.mint(replica, &bearer, &json!({})).await.status, 201);
    }
    let pass = place.pass(0).await;
    let mut socket = place.connect(1, &pass).await;
    assert_eq!(socket.next().await.as_deref(), Ok("session.created"));

    let answer = place.revoke(0, "subject", "user-1").await;
    assert_eq!(answer["replicas_pending"], 0, "{answer}");
    for replica in 0..REPLICAS {
        let refused = place.mint(replica, &bearer, &json!({})).await;
        assert_eq!(refused.code(), "access_revoked", "the answer was for all");
    }
    let grant = pass["id"].as_str().unwrap();
    let effect = place.revoke(2, "grant", grant).await;
    assert_eq!(
        (&effect["sessions_ended"], &effect["replicas_pending"]),
        (&json!(1), &json!(0)),
        "it was carried by another"
    );
    assert_eq!(socket.closed().await, Some(1008));
    let again = json!({ "kind": "grant", "target": grant });
    let again = place.admin_post(1, "/api/admin/revocations", &again).await;
    assert_eq!(again.status, 200, "{}", again.text);
    let effect = again.json();
    assert_eq!(
        (&effect["sessions_ended"], &effect["replicas_pending"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_does_not_speak_is_told_of_and_one_without_redis_knows_of_none() {
    let mut place = Place::start().await;
    place.kill(2);
    let effect = place.revoke(0, "subject", "user-1").await;
    assert_eq!(effect["replicas_pending"], 1, "{effect}");
    place.ground.redis.kill();
    let effect = place.revoke(0, "subject", "user-2").await;
    assert_eq!(effect["replicas_pending"], json!(null), "{effect}");
    let told = place.sites[0].trail().records();
    let told = told.iter().filter(|it| it.action() == "revocation.add");
    let told: Vec<&str> = told.map(|it| it.fact("replicas_pending")).collect();
    assert_eq!(told, ["1", "unknown"]);
}

/// One replica hears nothing of PostgreSQL; the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_knows_too_little_stands_aside_and_comes_back() {
    let ground = Ground::new(false).await;
    let Database::Shared(database) = &ground.database else {
        panic!("it was not asked for one of its own")
    };
    let way = ChaosProxy::start(database.address()).await;
    let cut = Road {
        postgres: database.url_at(way.address().port()),
        ..ground.road()
    };
    let plan = Plan {
        roads: vec![ground.road(), cut],
        stale: 3,
        ..Plan::straight(&ground)
    };
    let place = Place::by(&plan, ground).await;
    let is_ready = async |replica: usize| {
        let answer = send(client().get(place.at(replica).url("/readyz"))).await;
        (answer.status, answer.text)
    };
    assert_eq!(is_ready(1).await.0, 200);
    let bearer = place.sites[0].token("user-1", 600);

    way.stall(true);
    until("it says that it is not ready", async || {
        is_ready(1).await.0 == 503
    })
    .await;
    assert!(is_ready(1).await.1.contains("revocations not known"));
    let refused = place.mint(1, &bearer, &json!({})).await;
    assert_eq!(
        (refused.status, &*refused.code()),
        (503, "revocations_stale")
    );
    assert!(!refused.header("retry-after").is_empty());
    until("the other goes on", async || {
        place.mint(0, &bearer, &json!({})).await.status == 201
    })
    .await;

    way.stall(false);
    until("it is back", async || is_ready(1).await.0 == 200).await;
    until("and mints", async || {
        place.mint(1, &bearer, &json!({})).await.status == 201
    })
    .await;
    let trail = place.sites[1].trail();
    until("both are recorded", async || {
        let all = trail.all();
        let told = all
            .iter()
            .filter(|it| it.fact("alarm") == "revocations_stale");
        told.map(|it| it.fact("state").to_owned())
            .collect::<Vec<_>>()
            .starts_with(&["raised".to_owned(), "ended".to_owned()])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_is_used_elsewhere_once_and_its_session_is_seen_renewed_and_ended_by_any() {
    let place = Place::start().await;
    let pass = place.pass(0).await;
    let mut socket = place.connect(1, &pass).await;
    assert_eq!(socket.next().await.as_deref(), Ok("session.created"));
    let mut second = place.connect(2, &pass).await;
    // As OpenAI refuses a secret: official clients don't come back with it.
    assert_eq!(second.closed().await, Some(3000), "used before");

    let seen = async |replica: usize| {
        let list = place.admin(replica, "/api/admin/sessions").await;
        list["data"].as_array().cloned().unwrap_or_default()
    };
    for replica in 0..REPLICAS {
        until("it is seen", async || seen(replica).await.len() == 1).await;
    }
    let session = seen(2).await[0].clone();
    assert_eq!(session["grant"], pass["id"]);
    let id = session["id"].as_str().unwrap();
    let renewed = place
        .ask(
            0,
            &format!("/api/sessions/{id}/renew"),
            &place.caller,
            &json!({}),
        )
        .await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    assert!(renewed.json()["lease_until"].as_i64() >= session["lease_until"].as_i64());

    let ended = place
        .admin_post(2, &format!("/api/admin/sessions/{id}/end"), &json!({}))
        .await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    assert_eq!(ended.json()["end_reason"], "operator");
    assert_eq!(socket.closed().await, Some(1008));
    for replica in 0..REPLICAS {
        until("it is gone", async || seen(replica).await.is_empty()).await;
    }
    socket.0.close(None).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_all_three_are_restarted_in_turn() {
    let mut place = Place::start().await;
    for replica in 0..REPLICAS {
        // So that nginx learns of it before the socket is gone.
        place.sites[replica].change("drain_delay_seconds = 0", "drain_delay_seconds = 1");
        place.kill(replica);
        place.start_again(replica);
    }
    let (stop, minted) = (
        Arc::new(AtomicBool::new(false)),
        Arc::<AtomicUsize>::default(),
    );
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (stop, minted) = (stop.clone(), minted.clone());
        let url = format!("{}/api/generate-client-secret", place.url);
        let bearer = place.caller.clone();
        callers.spawn(async move {
            let client = client();
            while !stop.load(Ordering::SeqCst) {
                let answer = try_send(post(&client, &url, &bearer, &json!({}))).await;
                let answer = answer.map_err(|error| error.to_string())?;
                if answer.status != 201 {
                    return Err(format!("{} {}", answer.status, answer.text));
                }
                minted.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
    }
    let more = async |by: usize| {
        let goal = minted.load(Ordering::SeqCst) + by;
        while minted.load(Ordering::SeqCst) < goal && !callers.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    more(20).await;
    for replica in 0..REPLICAS {
        place.stop(replica);
        place.start_again(replica);
        more(20).await;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        assert_eq!(ended.unwrap(), Ok(()), "no request fails");
    }
}

/// Answers hold secrets, so no store has them; nginx knows whom to ask again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_name_at_once_through_nginx_mints_once() {
    let place = Place::start().await;
    let url = format!("{}/api/generate-client-secret", place.url);
    let (mut callers, mut answered) = (JoinSet::new(), BTreeSet::new());
    for number in 0..12 {
        let request = post(&client(), &url, &place.caller, &json!({}));
        let name = format!("order-{}", number % 2);
        callers.spawn(send(request.header("idempotency-key", name)));
    }
    while let Some(answer) = callers.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text);
        answered.insert(answer.json()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(answered.len(), 2, "one for each name");
    let at_openai = sim::log(&client(), &place.ground.sim.url).await.len();
    assert_eq!(at_openai, 2);
}
