//! Live sessions over all replicas: announced by whoever carries them, and
//! ended or renewed there when another is asked to.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use hallpass_core::{
    ids::{GrantId, LiveId, RevocationId},
    live::{Elsewhere, LiveSessions, LiveView, LiveWatch, Obeyed, Order, Peers},
    ports::StoreError,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    feed, jitter,
    link::Link,
    names::Tag,
    reached,
    script::{Call, Script, script},
};

static ANNOUNCE: Script = script!("announce.lua");
static ALIVE: Script = script!("alive.lua");

/// How often a replica says that it lives, and what its sessions used.
const BEAT: Duration = Duration::from_secs(10);
/// How long it counts as alive after its last word, and its sessions with it.
const LASTS_MS: u64 = 30_000;
/// Changes are gathered for so long.
const GATHER: Duration = Duration::from_millis(20);
/// How often a replica looks for what it was asked to do.
const LISTEN: Duration = Duration::from_millis(100);
/// How long whoever asks waits for it to be done.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(20);
/// Sessions announced at once.
const BATCH: usize = 200;
/// Orders kept for a replica that reads late.
const ORDERS: u64 = 10_000;

/// The name of this process among the replicas, new at each start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica(String);

impl Replica {
    /// A replica named by random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 8]) -> Self {
        Self(hallpass_core::ids::hex(&bits))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The sessions of all replicas, by way of Redis.
pub struct RedisPeers {
    link: Arc<Link>,
    replica: Replica,
    live: Arc<LiveSessions>,
    told: Mutex<Told>,
    wake: Notify,
}

/// What was told of the sessions here, and what has still to be.
#[derive(Default)]
struct Told {
    changed: HashSet<LiveId>,
    /// The grants under whose names sessions can be found, too.
    grants: HashMap<LiveId, GrantId>,
}

impl LiveWatch for RedisPeers {
    fn changed(&self, id: &LiveId) {
        self.told().changed.insert(id.clone());
        self.wake.notify_one();
    }
}

impl RedisPeers {
    /// Announces the sessions of this process; [`RedisPeers::announce`] and
    /// [`RedisPeers::listen`] have to run beside it.
    #[must_use]
    pub fn new(link: Arc<Link>, replica: Replica, live: Arc<LiveSessions>) -> Arc<Self> {
        let peers = Arc::new(Self {
            link,
            replica,
            live,
            told: Mutex::default(),
            wake: Notify::new(),
        });
        peers.live.watched_by(peers.clone());
        peers
    }

    /// Announces what changed, at once, and everything every few seconds and
    /// when Redis comes back, until told to stop.
    pub async fn announce(self: Arc<Self>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut regained = self.link.regained();
        let mut beat = Instant::now();
        loop {
            let due = Instant::now() >= beat;
            if due {
                self.told().changed.extend(self.live.ids());
                beat = Instant::now() + jitter::about(BEAT);
                let _ = self.say_alive(&self.replica.0).await;
            }
            let told = self.tell_changes(due).await;
            tokio::select! {
                () = &mut stop => return,
                _ = timeout_at(beat, self.wake.notified()), if told => {}
                () = regained.next() => beat = Instant::now(),
                () = sleep(LISTEN), if !told => {}
            }
            // Sessions begin and end in bursts.
            sleep(GATHER).await;
        }
    }

    /// Does what other replicas ask for, until told to stop.
    pub async fn listen(self: Arc<Self>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let stream = orders_of(&self.replica.0);
        let mut cursor = "0-0".to_owned();
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = sleep(jitter::about(LISTEN)) => {}
            }
            // Nothing is lost by a failure: the cursor stays where it was.
            let Ok((orders, after)) = feed::read(&self.link, &stream, &cursor).await else {
                continue;
            };
            cursor = after;
            for (id, order) in orders.iter().filter_map(|text| read_order(text)) {
                self.live.obey(&id, order);
            }
        }
    }

    /// Tells what is to be told; false where some of it has still to be.
    async fn tell_changes(&self, even_nothing: bool) -> bool {
        let ids: Vec<LiveId> = self.told().changed.drain().collect();
        let mut batches: Vec<&[LiveId]> = ids.chunks(BATCH).collect();
        if batches.is_empty() && even_nothing {
            batches.push(&[]);
        }
        for (done, batch) in batches.iter().enumerate() {
            let call = Call::on([live_of(&self.replica.0)]).with(LASTS_MS);
            let call = batch.iter().fold(call, |call, id| self.telling(call, id));
            if self.link.run::<i64>(&ANNOUNCE, &call).await.is_err() {
                let untold = ids.iter().skip(done * BATCH).cloned();
                self.told().changed.extend(untold);
                return false;
            }
        }
        true
    }

    /// What is said of one session: what it is, or that it is over.
    fn telling(&self, call: Call, id: &LiveId) -> Call {
        let view = self.live.get(id).map(|session| session.view().for_peers());
        let text = view
            .as_ref()
            .and_then(|view| serde_json::to_string(view).ok());
        let mut told = self.told();
        match (view, text) {
            (Some(view), Some(text)) => {
                let grant = view.grant.id;
                let call = call.with(&grant).with(id).with(id).with(text);
                told.grants.insert(id.clone(), grant);
                call
            }
            _ => match told.grants.remove(id) {
                Some(grant) => call.with(grant).with("").with(id).with(""),
                None => call.with(id).with(""),
            },
        }
    }

    async fn say_alive(&self, replica: &str) -> Result<Vec<String>, StoreError> {
        let call = Call::on([Tag::feed().name("replicas")])
            .with(LASTS_MS)
            .with(replica);
        self.link.run(&ALIVE, &call).await
    }

    /// The replicas that live, but for this one.
    async fn others(&self) -> Result<Vec<String>, StoreError> {
        let mut alive = self.say_alive("").await?;
        alive.retain(|replica| *replica != self.replica.0);
        Ok(alive)
    }

    /// What a replica announced under a name.
    async fn announced(&self, replica: &str, name: &str) -> Result<Option<String>, StoreError> {
        let mut get = redis::cmd("HGET");
        get.arg(live_of(replica)).arg(name);
        self.link.query(&get).await
    }

    async fn all_of(&self, replica: &str) -> Result<Vec<LiveView>, StoreError> {
        let mut all = redis::cmd("HVALS");
        all.arg(live_of(replica));
        let texts: Vec<String> = self.link.query(&all).await?;
        Ok(texts.iter().filter_map(|text| read_view(text)).collect())
    }

    /// Who carries a session, and the session.
    async fn carrier(&self, id: &str) -> Result<Option<(String, LiveView)>, StoreError> {
        for replica in self.others().await? {
            let mut found = self.announced(&replica, id).await?;
            if let Some(text) = &found
                && read_view(text).is_none()
            {
                // A grant's name leads to its session's.
                found = self.announced(&replica, text).await?;
            }
            if let Some(view) = found.and_then(|text| read_view(&text)) {
                return Ok(Some((replica, view)));
            }
        }
        Ok(None)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Peers for RedisPeers {
    async fn list(&self) -> Result<Vec<LiveView>, StoreError> {
        let others = self.others().await?;
        let all = others.iter().map(|replica| self.all_of(replica));
        Ok(try_join_all(all).await?.into_iter().flatten().collect())
    }

    async fn find(&self, id: &str) -> Result<Option<LiveView>, StoreError> {
        let found = self.carrier(id).await?;
        Ok(found.map(|(_, view)| view))
    }

    async fn order(&self, session: &LiveView, order: Order) -> Result<Obeyed, StoreError> {
        let id = session.id.as_str();
        let Some((replica, before)) = self.carrier(id).await? else {
            return Ok(Obeyed::Gone);
        };
        let text = write_order(&session.id, order);
        let call = Call::on([orders_of(&replica)])
            .with(ORDERS)
            .with(LASTS_MS)
            .with(text);
        self.link.run::<String>(&feed::TELL, &call).await?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            sleep(LOOK).await;
            let now = self.announced(&replica, id).await?;
            match (order, now.and_then(|text| read_view(&text))) {
                (Order::End(reason), None) => {
                    return Ok(Obeyed::Done(Box::new(LiveView {
                        end_reason: Some(reason),
                        ..before
                    })));
                }
                // Its client may take its time to hear of it.
                (Order::End(_), Some(view)) if view.end_reason.is_some() => {
                    return Ok(Obeyed::Done(Box::new(view)));
                }
                (Order::Renew(_), None) => return Ok(Obeyed::Gone),
                (Order::Renew(_), Some(view)) if view.lease_until > before.lease_until => {
                    return Ok(Obeyed::Done(Box::new(view)));
                }
                _ => {}
            }
        }
        let text = "the replica that carries the session did not answer".to_owned();
        Err(StoreError(text))
    }

    async fn reached(&self, revocation: &RevocationId, ended: u64) {
        // Unsaid, whoever waits for it goes by its bound.
        let _ = reached::say(&self.link, &self.replica.0, revocation, ended).await;
    }

    async fn elsewhere(&self, revocation: &RevocationId) -> Elsewhere {
        match self.others().await {
            Ok(others) => reached::heard(&self.link, &others, revocation).await,
            Err(_) => Elsewhere::default(),
        }
    }
}

fn live_of(replica: &str) -> String {
    Tag::replica(replica).name("live")
}

fn orders_of(replica: &str) -> String {
    Tag::replica(replica).name("orders")
}

fn read_view(text: &str) -> Option<LiveView> {
    serde_json::from_str(text).ok()
}

fn write_order(id: &LiveId, order: Order) -> String {
    match order {
        Order::End(reason) => format!("end {id} {reason}"),
        Order::Renew(at) => format!("renew {id} {at}"),
    }
}

fn read_order(text: &str) -> Option<(LiveId, Order)> {
    let mut words = text.splitn(3, ' ');
    let (verb, id, rest) = (words.next()?, words.next()?, words.next()?);
    let order = match verb {
        "end" => Order::End(rest.parse().ok()?),
        "renew" => Order::Renew(rest.parse().ok()?),
        _ => return None,
    };
    Some((LiveId::new(id).ok()?, order))
}

#[cfg(test)]
mod tests {
    use hallpass_core::{Timestamp, live::EndReason};

    use super::*;

    #[test]
    fn an_order_reads_back_and_nonsense_is_none() {
        let id = LiveId::from_random([1; 16]);
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        for order in [Order::End(EndReason::Operator), Order::Renew(at)] {
            let read = read_order(&write_order(&id, order));
            assert_eq!(read, Some((id.clone(), order)));
        }
        for text in ["", "end", "end x", "end ls_1 never", "dance ls_1 now"] {
            assert_eq!(read_order(text), None, "{text}");
        }
    }
}
