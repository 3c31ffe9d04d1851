//! What breaks, one after the other.

use std::{fmt, time::Duration};

use hallpass_testkit::chaos::{Chaos, ChaosProxy};

use super::super::{Database, Ground, Place, REPLICAS, Road, STALE};

/// How long a fault lasts.
const LASTS: Duration = Duration::from_millis(1500);
/// How long one replica is cut off so that it no longer knows enough.
const CUT_OFF: Duration = Duration::from_secs(STALE + 3);
/// How often a way that is reset is.
const RESET_EACH: Duration = Duration::from_millis(100);

/// Something that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    RedisKilled,
    RedisPaused,
    RedisEmptied,
    PostgresRestarted,
    PostgresCrashed,
    ReplicaKilled,
    ReplicaRestarted,
    /// One replica hears nothing of PostgreSQL until it is stale, and longer.
    CutOff,
    Way(Link, Break, Whose),
}

/// Between what and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Redis,
    Postgres,
    Upstream,
    /// nginx and the replicas.
    Front,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// Open connections end, new ones are refused.
    Cut,
    /// Bytes stand still, and nobody is told.
    Stalled,
    /// Open connections are reset again and again; new ones are taken.
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Every replica's.
    All,
    /// One replica's; the others' hold.
    One,
}

/// In this order, again and again. What a short run meets comes first.
pub(super) const FAULTS: [Fault; 22] = {
    use Break::{Cut, Reset, Stalled};
    use Link::{Front, Postgres, Redis, Upstream};
    use Whose::{All, One};
    [
        Fault::RedisKilled,
        Fault::PostgresRestarted,
        Fault::ReplicaKilled,
        Fault::Way(Redis, Stalled, All),
        Fault::Way(Postgres, Cut, One),
        Fault::RedisEmptied,
        Fault::Way(Front, Reset, All),
        Fault::Way(Upstream, Stalled, One),
        Fault::CutOff,
        Fault::RedisPaused,
        Fault::Way(Postgres, Stalled, All),
        Fault::ReplicaRestarted,
        Fault::Way(Redis, Reset, All),
        Fault::Way(Upstream, Cut, All),
        Fault::PostgresCrashed,
        Fault::Way(Redis, Cut, One),
        Fault::Way(Front, Stalled, One),
        Fault::Way(Postgres, Reset, All),
        Fault::Way(Upstream, Reset, One),
        Fault::Way(Redis, Stalled, One),
        Fault::Way(Front, Cut, One),
        Fault::Way(Postgres, Stalled, One),
    ]
};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::RedisKilled => "Redis killed and started again, empty",
            Self::RedisPaused => "Redis paused",
            Self::RedisEmptied => "Redis emptied",
            Self::PostgresRestarted => "PostgreSQL restarted",
            Self::PostgresCrashed => "PostgreSQL killed and recovered",
            Self::ReplicaKilled => "a replica killed with -9",
            Self::ReplicaRestarted => "a replica restarted",
            Self::CutOff => "one replica cut off from PostgreSQL beyond its bound",
            Self::Way(link, how, whose) => {
                let of = match whose {
                    Whose::All => "all replicas",
                    Whose::One => "one replica",
                };
                return write!(f, "{link:?} link of {of}: {how:?}");
            }
        };
        f.write_str(text)
    }
}

impl Fault {
    pub(super) const fn lasts(self) -> Duration {
        match self {
            Self::CutOff => CUT_OFF,
            _ => LASTS,
        }
    }

    /// Whether Redis loses what it held.
    pub(super) const fn empties_redis(self) -> bool {
        matches!(self, Self::RedisKilled | Self::RedisEmptied)
    }

    /// Whether PostgreSQL is out of a replica's reach.
    pub(super) const fn hides_postgres(self) -> bool {
        matches!(
            self,
            Self::PostgresRestarted
                | Self::PostgresCrashed
                | Self::CutOff
                | Self::Way(Link::Postgres, ..)
        )
    }

    /// Whether a replica's process ends.
    pub(super) const fn ends_a_replica(self) -> bool {
        matches!(self, Self::ReplicaKilled | Self::ReplicaRestarted)
    }
}

/// The ways of each replica, which may break.
pub(super) struct Ways {
    redis: Vec<ChaosProxy>,
    postgres: Vec<ChaosProxy>,
    upstream: Vec<ChaosProxy>,
}

impl Ways {
    /// A proxy for each way of each replica.
    pub(super) async fn lay(ground: &Ground) -> Self {
        let Database::Own(server) = &ground.database else {
            panic!("a database of one's own may be stopped");
        };
        let postgres = ([127, 0, 0, 1], server.port()).into();
        let upstream = ground.sim.url.trim_start_matches("http://");
        let upstream = upstream.parse().expect("an address");
        Self {
            redis: proxies(ground.redis.address()).await,
            postgres: proxies(postgres).await,
            upstream: proxies(upstream).await,
        }
    }

    pub(super) fn roads(&self, database: &str) -> Vec<Road> {
        let at = |proxies: &[ChaosProxy], number: usize| proxies[number].address();
        let road = |number: usize| Road {
            redis: format!("redis://{}", at(&self.redis, number)),
            postgres: format!(
                "postgres://hallpass@{}/{database}?sslmode=disable",
                at(&self.postgres, number)
            ),
            upstream: format!("http://{}", at(&self.upstream, number)),
        };
        (0..REPLICAS).map(road).collect()
    }

    fn of<'a>(&'a self, place: &'a Place, link: Link) -> &'a [ChaosProxy] {
        match link {
            Link::Redis => &self.redis,
            Link::Postgres => &self.postgres,
            Link::Upstream => &self.upstream,
            Link::Front => &place.fronts,
        }
    }
}

async fn proxies(server: std::net::SocketAddr) -> Vec<ChaosProxy> {
    let mut proxies = Vec::new();
    for _ in 0..REPLICAS {
        proxies.push(ChaosProxy::start(server).await);
    }
    proxies
}

/// Which replica a round is about.
pub(super) const fn victim(round: usize) -> usize {
    round % REPLICAS
}

fn whose(proxies: &[ChaosProxy], whose: Whose, round: usize) -> &[ChaosProxy] {
    match whose {
        Whose::All => proxies,
        Whose::One => std::slice::from_ref(&proxies[victim(round)]),
    }
}

/// Breaks something.
pub(super) async fn breaks(place: &mut Place, ways: &Ways, fault: Fault, round: usize) {
    match fault {
        Fault::RedisKilled => place.ground.redis.kill(),
        Fault::RedisPaused => place.ground.redis.pause(),
        Fault::RedisEmptied => place.ground.redis.empty().await,
        Fault::PostgresRestarted => aside(|| place.own_database().stop()),
        Fault::PostgresCrashed => aside(|| place.own_database().crash()),
        Fault::ReplicaKilled => aside(|| place.kill(victim(round))),
        Fault::ReplicaRestarted => aside(|| place.stop(victim(round))),
        Fault::CutOff => ways.postgres[victim(round)].stall(true),
        Fault::Way(link, how, of) => {
            for proxy in whose(ways.of(place, link), of, round) {
                match how {
                    Break::Cut => proxy.set(Chaos::ResetAtOnce),
                    Break::Stalled => proxy.stall(true),
                    Break::Reset => proxy.reset(),
                }
            }
        }
    }
}

/// Waits while it is broken.
pub(super) async fn lasts(place: &Place, ways: &Ways, fault: Fault, round: usize, time: Duration) {
    let Fault::Way(link, Break::Reset, of) = fault else {
        tokio::time::sleep(time).await;
        return;
    };
    for _ in 0..time.as_millis() / RESET_EACH.as_millis() {
        tokio::time::sleep(RESET_EACH).await;
        for proxy in whose(ways.of(place, link), of, round) {
            proxy.reset();
        }
    }
}

/// Makes it whole again.
pub(super) async fn mends(place: &mut Place, ways: &Ways, fault: Fault, round: usize) {
    match fault {
        Fault::RedisKilled => place.ground.redis.restart().await,
        Fault::RedisPaused => place.ground.redis.resume(),
        Fault::RedisEmptied => {}
        Fault::PostgresRestarted | Fault::PostgresCrashed => {
            aside(|| place.own_database().resume());
        }
        Fault::ReplicaKilled | Fault::ReplicaRestarted => {
            aside(|| place.start_again(victim(round)));
        }
        Fault::CutOff => ways.postgres[victim(round)].stall(false),
        Fault::Way(link, how, of) => {
            for proxy in whose(ways.of(place, link), of, round) {
                match how {
                    Break::Cut => proxy.set(Chaos::None),
                    // What stood still goes on.
                    Break::Stalled => proxy.stall(false),
                    Break::Reset => {}
                }
            }
        }
    }
}

/// Waits for a process without holding up the other tasks of this thread.
fn aside<T>(wait: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(wait)
}
