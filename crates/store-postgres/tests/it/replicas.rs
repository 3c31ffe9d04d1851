//! Two replicas on one database agree.

use std::sync::Arc;

use hallpass_core::{
    call::StandingCalls,
    grant::{Grant, GrantEvent, GrantState, Mode},
    hash::InstallKey,
    ids::{CredentialId, GrantId, ProfileName, RevocationId, RoleName, Subject},
    money::NanoUsd,
    pass::{PassRecord, Passes, Spent},
    ports::{Grants, KeyDirectory, RevocationFeed, Revocations},
    revocation::{Lifted, Question, Scope},
    usage::{Account, Hour, Source, Usage, UsageKey, UsageLedger, day_of},
};
use hallpass_store_postgres::{
    Database, ForeignKey, PgCalls, PgFeed, PgGrants, PgKeys, PgPasses, PgRevocations, PgUsage,
    Replica, ReplicaName,
};
use hallpass_testkit::{
    clock::moment,
    contract::{calls::call, grants::grant, keys::key, revocations::revocation},
};

use crate::support::{fresh, open, replica};

/// What decides who is let in, as one replica has it.
struct Access {
    keys: Arc<PgKeys>,
    revocations: Arc<PgRevocations>,
    feed: PgFeed,
}

async fn access(database: &Database) -> Access {
    let keys = Arc::new(PgKeys::load(database.clone()).await.unwrap());
    let revocations = Arc::new(PgRevocations::load(database.clone()).await.unwrap());
    let feed = PgFeed::new(database.clone(), keys.clone(), revocations.clone());
    feed.sync().await.unwrap();
    Access {
        keys,
        revocations,
        feed,
    }
}

fn subject(name: &str) -> Scope {
    Scope::Subject(Subject::new(name).unwrap())
}

fn stops(access: &Access, grant: &Grant) -> bool {
    access.revocations.check(&Question::Grant(grant)).is_some()
}

#[tokio::test]
async fn a_grant_made_by_one_is_found_used_and_ended_by_another() {
    let (database, kept) = fresh().await;
    let (here, there) = (
        PgGrants::new(database),
        PgGrants::new(open(&kept.url()).await),
    );
    let made = grant(1, 0);
    here.record(made.clone().into()).await.unwrap();
    assert_eq!(there.find(&made.id).await.unwrap(), Some(made.clone()));
    there.apply(&made.id, GrantEvent::Connect).await.unwrap();
    let seen = here.find(&made.id).await.unwrap().unwrap();
    assert_eq!(seen.state, GrantState::Connected);
    here.withdraw(&subject("user-1"), moment(1_800_000_010))
        .await
        .unwrap();
    let after = there.apply(&made.id, GrantEvent::End).await.unwrap();
    assert_eq!(after.unwrap().state, GrantState::Revoked);
}

#[tokio::test]
async fn of_many_refreshes_at_many_replicas_one_wins() {
    let (database, kept) = fresh().await;
    let made = grant(1, 0);
    PgGrants::new(database)
        .record(made.clone().into())
        .await
        .unwrap();
    let mut tries = Vec::new();
    for number in 2..10 {
        let grants = PgGrants::new(open(&kept.url()).await);
        let (of, successor) = (made.id.clone(), GrantId::from_random([number; 16]));
        tries.push(tokio::spawn(async move {
            grants.supersede(&of, &successor).await.unwrap()
        }));
    }
    let mut winners = 0;
    for won in tries {
        winners += u32::from(won.await.unwrap());
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn many_grants_cost_few_statements() {
    let (database, kept) = fresh().await;
    let grants = Arc::new(PgGrants::new(database));
    let all: Vec<_> = (0..200)
        .map(|number| {
            let grants = grants.clone();
            tokio::spawn(
                async move { grants.record(grant(number, i64::from(number)).into()).await },
            )
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(kept.run("SELECT COUNT(*) FROM grants"), "200");
    // One transaction writes rows of one number: 200 grants in few of them.
    let statements: u32 = kept
        .run("SELECT COUNT(DISTINCT xmin::text) FROM grants")
        .parse()
        .unwrap();
    assert!(statements <= 20, "{statements}");
}

#[tokio::test]
async fn a_pass_is_spent_once_whatever_replica_is_asked() {
    let (database, kept) = fresh().await;
    let first = replica(&database, "a").await;
    let pass = PassRecord {
        grant: GrantId::from_random([1; 16]),
        hash: hallpass_core::hash::KeyedHash::from_bytes([1; 32]),
        role: RoleName::new("candidate").unwrap(),
        session: "{}".to_owned(),
        expires_at: moment(1_800_000_000),
    };
    let here = PgPasses::new(database, &first);
    here.keep(&pass).await.unwrap();
    let mut tries = Vec::new();
    for name in ["b", "c", "d", "e"] {
        let database = open(&kept.url()).await;
        let passes = PgPasses::new(database.clone(), &*replica(&database, name).await);
        let id = pass.grant.clone();
        tries.push(tokio::spawn(
            async move { passes.spend(&id).await.unwrap() },
        ));
    }
    let mut first_uses = 0;
    for spent in tries {
        first_uses += u32::from(spent.await.unwrap() == Spent::First);
    }
    assert_eq!(first_uses, 1);
    assert_eq!(here.spend(&pass.grant).await.unwrap(), Spent::Again);
}

#[tokio::test]
async fn a_sync_brings_what_another_replica_changed_and_says_what() {
    let (database, kept) = fresh().await;
    let (here, there) = (
        access(&database).await,
        access(&open(&kept.url()).await).await,
    );
    let grant = grant(1, 0);
    let added = here
        .revocations
        .add(&revocation(1, subject("user-1")))
        .await
        .unwrap();
    assert!(stops(&here, &grant), "at once where it was added");
    let before = there.revocations.epoch();
    let synced = there.feed.sync().await.unwrap();
    assert_eq!(synced.added, std::slice::from_ref(&added));
    assert!(stops(&there, &grant));
    assert_ne!(there.revocations.epoch(), before);
    assert_eq!(synced.revision, here.feed.revision());

    let again = there.feed.sync().await.unwrap();
    assert_eq!((again.added.len(), again.ended.len()), (0, 0));
    let own = here.feed.sync().await.unwrap();
    assert_eq!(
        own.added,
        [],
        "what a replica changed itself is no news to it"
    );

    let end = Lifted {
        at: moment(1_800_000_100),
        by: Subject::new("operator").unwrap(),
    };
    there.revocations.lift(&added.id, &end).await.unwrap();
    let synced = here.feed.sync().await.unwrap();
    let ended: Vec<&RevocationId> = synced.ended.iter().map(|it| &it.id).collect();
    assert_eq!(ended, [&added.id]);
    assert!(!stops(&here, &grant));
}

#[tokio::test]
async fn one_scope_is_revoked_once_whoever_adds_it() {
    let (database, kept) = fresh().await;
    let (here, there) = (
        access(&database).await,
        access(&open(&kept.url()).await).await,
    );
    let (one, two) = [1, 2]
        .map(|number| revocation(number, subject("user-1")))
        .into();
    let (first, second) = tokio::join!(here.revocations.add(&one), there.revocations.add(&two));
    assert_eq!(first.unwrap().id, second.unwrap().id);
    assert_eq!(here.revocations.list(true, 10).await.unwrap().len(), 1);
    assert!(
        stops(&there, &grant(1, 0)),
        "the other's is in force here, too"
    );
}

#[tokio::test]
async fn no_change_is_passed_over_however_many_are_made_at_once() {
    let (database, kept) = fresh().await;
    let follower = access(&open(&kept.url()).await).await;
    let mut changes = Vec::new();
    for replica in 0..4_u8 {
        let here = access(&open(&kept.url()).await).await;
        changes.push(tokio::spawn(async move {
            for number in 0..10 {
                let id = replica * 10 + number + 1;
                let scope = subject(&format!("user-{id}"));
                here.revocations.add(&revocation(id, scope)).await.unwrap();
            }
        }));
    }
    let (mut seen, mut done) = (0, false);
    while seen < 40 {
        // What is added while a look is under way comes with the next one.
        seen += follower.feed.sync().await.unwrap().added.len();
        if done {
            break;
        }
        done = changes.iter().all(tokio::task::JoinHandle::is_finished);
    }
    for change in changes {
        change.await.unwrap();
    }
    seen += follower.feed.sync().await.unwrap().added.len();
    assert_eq!(seen, 40);
    let _ = database;
}

#[tokio::test]
async fn what_one_replica_forgets_is_forgotten_by_the_other() {
    let (database, kept) = fresh().await;
    let (here, there) = (
        access(&database).await,
        access(&open(&kept.url()).await).await,
    );
    let old = grant(1, 0);
    let scope = Scope::Grant(old.id.clone());
    here.revocations.add(&revocation(1, scope)).await.unwrap();
    there.feed.sync().await.unwrap();
    assert!(stops(&there, &old));
    let pruned = here.revocations.prune(moment(1_900_000_000)).await.unwrap();
    assert_eq!(pruned, 1);
    let synced = there.feed.sync().await.unwrap();
    assert_eq!(synced.ended.len(), 1);
    assert!(!stops(&there, &old));
}

#[tokio::test]
async fn an_older_state_brought_back_from_a_backup_is_followed() {
    let (database, kept) = fresh().await;
    let here = access(&database).await;
    for number in 1..4 {
        let scope = subject(&format!("user-{number}"));
        here.revocations
            .add(&revocation(number, scope))
            .await
            .unwrap();
    }
    here.feed.sync().await.unwrap();
    let _ = kept.run("DELETE FROM revocations WHERE id <> (SELECT MIN(id) FROM revocations); UPDATE revisions SET value = 2");
    let synced = here.feed.sync().await.unwrap();
    assert_eq!(synced.ended.len(), 2);
    assert!(stops(&here, &grant(1, 0)));
}

#[tokio::test]
async fn a_key_made_or_withdrawn_by_one_is_so_for_the_other() {
    let (database, kept) = fresh().await;
    let (here, there) = (
        access(&database).await,
        access(&open(&kept.url()).await).await,
    );
    let made = key("app", 0);
    here.keys.insert(&made).await.unwrap();
    let found = there.keys.find(&made.id).await.unwrap();
    assert_eq!(found, Some(made.clone()), "looked up when it is first used");
    here.keys
        .revoke(&made.id, moment(1_800_000_100))
        .await
        .unwrap();
    there.feed.sync().await.unwrap();
    let found = there.keys.find(&made.id).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(moment(1_800_000_100)));
    let unknown = CredentialId::new("nobody").unwrap();
    assert_eq!(there.keys.find(&unknown).await.unwrap(), None);
}

fn used(session: &str, cost: u64) -> (UsageKey, Usage) {
    let key = UsageKey {
        hour: Hour::of(moment(1_800_000_000)),
        session: session.to_owned(),
        subject: Subject::new("user-1").unwrap(),
        role: RoleName::new("candidate").unwrap(),
        profile: ProfileName::new("interview").unwrap(),
        mode: Some(Mode::Relay),
        model: "m".to_owned(),
        source: Source::Measured,
    };
    let usage = Usage {
        responses: 1,
        cost: NanoUsd(cost),
        ..Usage::default()
    };
    (key, usage)
}

#[tokio::test]
async fn a_budget_is_drawn_on_by_all_replicas_together() {
    let (database, kept) = fresh().await;
    let today = day_of(moment(1_800_000_000));
    let other = open(&kept.url()).await;
    let (a, b) = (replica(&database, "a").await, replica(&other, "b").await);
    let here = PgUsage::load(database.clone(), &a, today).await.unwrap();
    let there = Arc::new(PgUsage::load(other, &b, today).await.unwrap());
    let account = Account::Subject(Subject::new("user-1").unwrap());
    // Asked for once, an account's sum is looked after.
    assert!(there.spent(&account, today).is_empty());
    let (key, usage) = used("ls_1", 5);
    here.add(&key, &usage);
    here.flush().await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = there.clone();
    let task = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        running.run(stopped, || {}).await;
    });
    while there.spent(&account, today).cost != NanoUsd(5) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (key, usage) = used("ls_2", 7);
    there.add(&key, &usage);
    assert_eq!(there.spent(&account, today).cost, NanoUsd(12));
    stop.send(()).unwrap();
    task.await.unwrap();
    // Stopped, it has written what it had; a replica that starts finds it.
    let late = PgUsage::load(database, &a, today).await.unwrap();
    assert_eq!(late.spent(&account, today).cost, NanoUsd(12));
}

#[tokio::test]
async fn a_batch_of_usage_sent_twice_counts_once() {
    let (database, kept) = fresh().await;
    let today = day_of(moment(1_800_000_000));
    let a = replica(&database, "a").await;
    let ledger = PgUsage::load(database.clone(), &a, today).await.unwrap();
    let (key, usage) = used("ls_1", 5);
    ledger.add(&key, &usage);
    ledger.flush().await.unwrap();
    // Another ledger of the same process begins with the same number, as a
    // batch does whose answer was lost.
    let again = PgUsage::load(database, &a, today).await.unwrap();
    again.add(&key, &usage);
    again.flush().await.unwrap();
    assert_eq!(kept.run("SELECT SUM(cost) FROM usage"), "5");
    assert_eq!(
        kept.run("SELECT SUM(cost) FROM usage_sums WHERE kind = 'subject'"),
        "5"
    );
}

#[tokio::test]
async fn calls_of_an_earlier_process_of_the_same_name_are_taken_over_at_once() {
    let (database, kept) = fresh().await;
    let dead = PgCalls::new(database.clone(), replica(&database, "a").await);
    dead.keep(&call(1)).await.unwrap();
    let next = PgCalls::new(database.clone(), replica(&database, "a").await);
    assert_eq!(next.adopt().await.unwrap(), [call(1)]);
    assert_eq!(next.adopt().await.unwrap(), [], "each is given once");
    next.forget("rtc_u1_1").await.unwrap();
    assert_eq!(kept.run("SELECT COUNT(*) FROM calls"), "0");
}

#[tokio::test]
async fn calls_of_a_silent_replica_are_taken_over_by_one_that_is_steady() {
    let (database, kept) = fresh().await;
    let silent = replica(&database, "a").await;
    let calls = PgCalls::new(database.clone(), silent.clone());
    calls.keep(&call(1)).await.unwrap();
    let alive = replica(&database, "b").await;
    let others = PgCalls::new(database.clone(), alive.clone());
    let _ =
        kept.run("UPDATE replicas SET beat_at = beat_at - interval '7 seconds' WHERE name = 'a'");
    alive.beat().await.unwrap();
    let judged = others.adopt().await.unwrap();
    assert_eq!(judged, [], "who just came back judges nobody");
    tokio::time::pause();
    for _ in 0..7 {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        tokio::time::resume();
        alive.beat().await.unwrap();
        tokio::time::pause();
    }
    tokio::time::resume();
    assert_eq!(others.adopt().await.unwrap(), [call(1)]);
    // Who is heard again takes nothing back, and hears what it lost, once.
    silent.beat().await.unwrap();
    assert_eq!(calls.adopt().await.unwrap(), []);
    assert_eq!(calls.lost().await.unwrap(), ["rtc_u1_1"]);
    assert_eq!(calls.lost().await.unwrap(), Vec::<String>::new());
    assert_eq!(others.lost().await.unwrap(), Vec::<String>::new());
    // Nor does it take the record of it away from who carries it on.
    calls.forget("rtc_u1_1").await.unwrap();
    assert_eq!(others.all().await.unwrap(), [call(1)]);
}

#[tokio::test]
async fn of_many_that_want_an_orphan_one_gets_it() {
    let (database, kept) = fresh().await;
    let dead = replica(&database, "a").await;
    PgCalls::new(database.clone(), dead)
        .keep(&call(1))
        .await
        .unwrap();
    // Its successor goes by another name: nobody needs to wait for it.
    let _ = kept.run("DELETE FROM replicas");
    let mut tries = Vec::new();
    for name in ["b", "c", "d", "e"] {
        let database = open(&kept.url()).await;
        let calls = PgCalls::new(database.clone(), replica(&database, name).await);
        tries.push(tokio::spawn(async move { calls.adopt().await.unwrap() }));
    }
    let mut given = 0;
    for adopted in tries {
        given += adopted.await.unwrap().len();
    }
    assert_eq!(given, 1);
}

#[tokio::test]
async fn usage_of_a_call_counts_for_whoever_carries_it_on_alone() {
    let (database, kept) = fresh().await;
    let today = day_of(moment(1_800_000_000));
    let (a, b) = (replica(&database, "a").await, replica(&database, "b").await);
    let of_a = PgUsage::load(database.clone(), &a, today).await.unwrap();
    let of_b = PgUsage::load(database.clone(), &b, today).await.unwrap();
    let standing = call(1);
    PgCalls::new(database.clone(), a)
        .keep(&standing)
        .await
        .unwrap();
    let session = standing.session.as_str();
    let (key, usage) = used(session, 5);
    of_a.add(&key, &usage);
    of_a.flush().await.unwrap();
    // As when nobody has heard of it for long.
    let _ = kept.run("UPDATE calls SET incarnation = 'gone'");
    let adopted = PgCalls::new(database.clone(), b).adopt().await.unwrap();
    assert_eq!(adopted, std::slice::from_ref(&standing));
    // It lives after all, and sends what it heard meanwhile, of others too.
    for (session, cost) in [(session, 100), ("ls_other", 1)] {
        let (key, usage) = used(session, cost);
        of_a.add(&key, &usage);
    }
    of_a.flush().await.unwrap();
    let (key, usage) = used(session, 7);
    of_b.add(&key, &usage);
    of_b.flush().await.unwrap();
    assert_eq!(kept.run("SELECT SUM(cost) FROM usage"), "13");
    let sums = "SELECT SUM(cost) FROM usage_sums WHERE kind = 'subject'";
    assert_eq!(kept.run(sums), "13");
}

#[tokio::test]
async fn a_name_belongs_to_one_data_directory() {
    let (database, _kept) = fresh().await;
    let first = replica(&database, "a").await;
    let name = ReplicaName::new("a").unwrap();
    let foreign = Replica::register(database.clone(), name, "another", "0.0.0").await;
    let said = foreign.err().unwrap().to_string();
    assert!(
        said.contains("another replica goes by the name \"a\""),
        "{said}"
    );
    first.beat().await.unwrap();
    let next = replica(&database, "a").await;
    next.beat().await.unwrap();
    assert!(
        first.beat().await.is_err(),
        "the name is the newest process's"
    );
}

#[tokio::test]
async fn replicas_have_one_installation_key() {
    let (database, kept) = fresh().await;
    let key = InstallKey::new([7; 32]);
    let other = open(&kept.url()).await;
    let (first, second) = tokio::join!(database.check_key(&key), other.check_key(&key));
    first.unwrap();
    second.unwrap();
    let foreign = database.check_key(&InstallKey::new([8; 32])).await;
    assert!(matches!(foreign, Err(ForeignKey::Differs)));
}
