//! A link to a server, and what it told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hallpass_store_redis::{Address, Link, LinkObserver, LinkTimes};
use hallpass_testkit::{TestClock, redis::RedisServer};
use tokio::time::{sleep, timeout};

/// Long enough for a machine that does other things, too.
pub(crate) const PATIENT: LinkTimes = LinkTimes {
    command: Duration::from_secs(5),
    connect: Duration::from_secs(5),
};
/// The longest wait for what a link does by itself.
const BOUND: Duration = Duration::from_secs(30);

/// Keeps what a link tells.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl LinkObserver for Told {
    fn lost(&self, why: &str) {
        self.0.lock().unwrap().push(format!("lost: {why}"));
    }

    fn regained(&self, _: Duration) {
        self.0.lock().unwrap().push("regained".to_owned());
    }

    fn emptied(&self) {
        self.0.lock().unwrap().push("emptied".to_owned());
    }
}

impl Told {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A link that nobody keeps, connected.
pub(crate) async fn link(url: &str) -> Arc<Link> {
    let (link, told) = told_link(url, PATIENT);
    assert!(link.connect().await, "{:?}", told.all());
    link
}

/// A link and what it tells.
pub(crate) fn told_link(url: &str, times: LinkTimes) -> (Arc<Link>, Arc<Told>) {
    let told = Arc::new(Told::default());
    let address = Address::parse(url).unwrap();
    let link = Link::new(address, times, "test", told.clone());
    (Arc::new(link), told)
}

/// A link to a server of its own.
pub(crate) async fn with_server() -> (Arc<Link>, RedisServer) {
    let server = RedisServer::start().await;
    (link(&server.url()).await, server)
}

/// A clock at the time contracts use.
pub(crate) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(1_800_000_000))
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(BOUND, wait).await.is_ok(), "never: {what}");
}
