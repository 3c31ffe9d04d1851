//! Live sessions of two replicas: seen, ended and renewed from the other.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    Timestamp,
    grant::Grant,
    ids::{LiveId, RevocationId, RoleName},
    live::{Elsewhere, EndReason, LiveFacts, LiveSession, LiveSessions, Obeyed, Order, Peers},
    usage::Budget,
};
use hallpass_store_redis::{Link, RedisPeers, Replica, RevocationNews};
use hallpass_testkit::{contract::grants::grant, redis::RedisServer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENT, told_link, until};

/// What one process has of it.
struct Node {
    live: Arc<LiveSessions>,
    peers: Arc<RedisPeers>,
    link: Arc<Link>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    async fn start(url: &str, number: u8) -> Self {
        let (link, told) = told_link(url, PATIENT);
        assert!(link.connect().await, "{:?}", told.all());
        let live = Arc::new(LiveSessions::default());
        let replica = Replica::from_random([number; 8]);
        let peers = RedisPeers::new(link.clone(), replica, live.clone());
        let stop = CancellationToken::new();
        let ended = || stop.clone().cancelled_owned();
        let tasks = vec![
            tokio::spawn(link.clone().keep(ended())),
            tokio::spawn(peers.clone().announce(ended())),
            tokio::spawn(peers.clone().listen(ended())),
        ];
        Self {
            live,
            peers,
            link,
            stop,
            tasks,
        }
    }

    fn opens(&self, number: u8, lease: Option<u32>) -> Arc<LiveSession> {
        let session = Arc::new(session(number, lease));
        assert!(self.live.enter(session.clone()));
        session
    }

    /// As whoever carries a session does.
    fn carries(&self, session: &Arc<LiveSession>) -> JoinHandle<EndReason> {
        let (live, session) = (self.live.clone(), session.clone());
        tokio::spawn(async move {
            let reason = session.ended().await;
            live.leave(session.id());
            reason
        })
    }

    async fn sees(&self, count: usize) {
        until("so many sessions are seen", async || {
            self.peers.list().await.is_ok_and(|all| all.len() == count)
        })
        .await;
    }

    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

fn session(number: u8, lease_seconds: Option<u32>) -> LiveSession {
    let of: Grant = grant(number, 0);
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    LiveSession::new(LiveFacts {
        id: LiveId::from_random([number; 16]),
        grant: Arc::new(of),
        role: RoleName::new("candidate").unwrap(),
        budget: Budget::default(),
        model: Some("gpt-realtime-2.1".to_owned()),
        started_at: at(0),
        ends_at: at(600),
        lease_seconds,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_seen_ended_and_renewed_from_another_replica() {
    seen_ended_and_renewed(RedisServer::start().await).await;
}

pub(crate) async fn seen_ended_and_renewed(server: RedisServer) {
    let (here, there) = (
        Node::start(&server.url(), 1).await,
        Node::start(&server.url(), 2).await,
    );
    let (first, leased) = (here.opens(1, None), here.opens(2, Some(60)));
    there.sees(2).await;
    assert!(
        here.peers.list().await.unwrap().is_empty(),
        "its own are not others'"
    );

    let view = there
        .peers
        .find(first.id().as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(view, first.view().for_peers());
    assert_eq!(view.grant.secret_hash, "");
    let by_grant = there.peers.find(first.grant().id.as_str()).await.unwrap();
    assert_eq!(by_grant, Some(view.clone()));
    assert_eq!(there.peers.find("ls_none").await.unwrap(), None);

    let later = Timestamp::from_second(1_800_000_030).unwrap();
    let view_of_leased = leased.view();
    let renewed = there
        .peers
        .order(&view_of_leased, Order::Renew(later))
        .await
        .unwrap();
    let Obeyed::Done(renewed) = renewed else {
        panic!("it is there")
    };
    assert_eq!(renewed.lease_until, leased.lease_until());
    assert_eq!(renewed.lease_until.unwrap().as_second(), 1_800_000_090);

    let carried = here.carries(&first);
    let ended = there
        .peers
        .order(&view, Order::End(EndReason::Operator))
        .await
        .unwrap();
    let Obeyed::Done(ended) = ended else {
        panic!("it was there")
    };
    assert_eq!(ended.end_reason, Some(EndReason::Operator));
    assert_eq!(carried.await.unwrap(), EndReason::Operator);
    let again = there
        .peers
        .order(&view, Order::End(EndReason::Operator))
        .await
        .unwrap();
    assert_eq!(again, Obeyed::Gone);
    there.sees(1).await;
    let fields = server.ask("HLEN hp1:{r:0101010101010101}:live").await;
    assert_eq!(fields, ":2\r\n", "nothing stays of the one that ended");
    here.end().await;
    there.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_lost_is_announced_again() {
    let mut server = RedisServer::start().await;
    let here = Node::start(&server.url(), 1).await;
    let there = Node::start(&server.url(), 2).await;
    here.opens(1, None);
    there.sees(1).await;
    server.restart().await;
    there.sees(1).await;
    // What began and ended meanwhile, too.
    let stays = here.opens(2, None);
    server.kill();
    here.opens(3, None);
    here.live.leave(stays.id());
    server.restart().await;
    there.sees(2).await;
    let seen = there.peers.list().await.unwrap();
    assert!(seen.iter().all(|view| view.id != *stays.id()));
    here.end().await;
    there.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_hears_of_each_revision_and_misses_none() {
    let server = RedisServer::start().await;
    let here = Node::start(&server.url(), 1).await;
    let there = Node::start(&server.url(), 2).await;
    RevocationNews::tell(&here.link, 3).await.unwrap();
    let mut news = RevocationNews::new(there.link.clone());
    assert_eq!(
        news.news().await.unwrap(),
        None,
        "what was before is read elsewhere"
    );
    for revision in [4, 6, 5] {
        RevocationNews::tell(&here.link, revision).await.unwrap();
    }
    assert_eq!(news.news().await.unwrap(), Some(6));
    assert_eq!(news.news().await.unwrap(), None);
    server.empty().await;
    // Entries of one millisecond are numbered from the start by a server that
    // forgot those before.
    tokio::time::sleep(Duration::from_millis(2)).await;
    RevocationNews::tell(&here.link, 7).await.unwrap();
    assert_eq!(
        news.news().await.unwrap(),
        Some(7),
        "also when Redis forgot the rest"
    );
    here.end().await;
    there.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_revokes_hears_from_each_replica_or_counts_it_as_silent() {
    heard_or_silent(RedisServer::start().await).await;
}

pub(crate) async fn heard_or_silent(mut server: RedisServer) {
    let here = Node::start(&server.url(), 1).await;
    let there = Node::start(&server.url(), 2).await;
    until("they know each other", async || {
        here.peers
            .elsewhere(&RevocationId::from_random([9; 16]))
            .await
            .silent
            == Some(1)
    })
    .await;
    let id = RevocationId::from_random([1; 16]);
    here.peers.reached(&id, 0).await;
    let (heard, ()) = tokio::join!(here.peers.elsewhere(&id), there.peers.reached(&id, 2));
    let all = Elsewhere {
        ended: 2,
        silent: Some(0),
    };
    assert_eq!(heard, all);
    assert_eq!(
        there.peers.elsewhere(&id).await,
        all,
        "told to whoever asks"
    );
    server.kill();
    let unknown = here.peers.elsewhere(&id).await;
    assert_eq!(unknown.silent, None, "nobody can be asked");
    here.end().await;
    there.end().await;
}
