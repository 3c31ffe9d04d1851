//! One Hallpass: the real routers, broker and desk on simulated hosts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::Router;
use hallpass_core::{
    Timestamp,
    hash::{InstallKey, Purpose},
    ids::CredentialId,
    key_issuer::KeyIssuer,
    live::LiveSessions,
    pass::{PassRecord, Passes, Spent},
    pipeline::{Broker, Parts, SessionParts},
    ports::{Clock, Ids, KeyDirectory, Quotas, StoreError, StoredKey},
    revocation::Revocation,
};
use hallpass_http::{
    App, AppParts, AuditQuery, BreakerWish, Capacity, FoundRecord, Health, Origins, TrailSearch,
    UpstreamStatus,
    front_guard::{FrontGuard, FrontLimits},
    serve::TrustedProxies,
};
use hallpass_relay::{
    call::{CallDesk, CallParts, Patience},
    meter::Prices,
};
use hallpass_store_memory::{MemoryAlerts, MemoryLeases, MemoryQuotas, MemoryUsage};
use hallpass_store_redis::{
    Address, FollowedRevocations, FreshnessObserver, LeasePolicy, Link, LinkObserver, LinkTimes,
    RedisLeases, RedisPasses, RedisPeers, RedisQuotas, Replica, ShareLeases, ShareQuotas,
};
use hallpass_telemetry::{Metrics, traces::Traces};

use crate::{
    Defect,
    clock::{SimClock, SimIds},
    database::Truth,
    openai::{State, ToOpenAi},
    policy::{AtTheirWord, policy},
    remote::Remote,
    stores::{NetCalls, NetGrants, NetRevocations, keep_beating},
    trace::Trace,
    trail::{Disk, SimTrail},
    wire::{self, ToRedis},
};

/// How many there are.
pub(crate) const REPLICAS: u32 = 2;
/// How old a replica's knowledge of revocations may be.
pub(crate) const BOUND: Duration = Duration::from_secs(10);
/// Where each serves.
pub(crate) const PUBLIC: u16 = 80;
pub(crate) const ADMIN: u16 = 81;

/// What replicas are started with, again after each crash.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) seed: u64,
    pub(crate) name: &'static str,
    /// Numbers processes, over all replicas.
    pub(crate) processes: Arc<crate::clock::Counter>,
    pub(crate) database: Remote<Truth>,
    pub(crate) openai: Remote<State>,
    pub(crate) disk: Disk,
    pub(crate) trace: Trace,
    pub(crate) defect: Option<Defect>,
    /// The sessions each replica carries now.
    pub(crate) carried: Arc<Mutex<BTreeMap<&'static str, Arc<LiveSessions>>>>,
}

impl Site {
    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// One process's life, from its start to its crash.
    pub(crate) async fn run(self) -> turmoil::Result {
        let process = self.processes.next();
        self.trace
            .note(format_args!("{} starts, process {process}", self.name));
        let app = self.app(process).await;
        let admin = hallpass_http::admin(app.clone(), Router::new());
        tokio::spawn(wire::serve(admin, ADMIN));
        wire::serve(hallpass_http::public(app), PUBLIC).await?;
        Ok(())
    }

    async fn app(&self, process: u64) -> App {
        let key = InstallKey::new([7; 32]);
        let clock: Arc<dyn Clock> = Arc::new(SimClock);
        let ids: Arc<dyn Ids> = Arc::new(SimIds::of(self.seed, process));
        let told = Arc::new(Told(self.name, self.trace.clone()));
        let mut bits = [0; 8];
        ids.fill(&mut bits);
        let replica = Replica::from_random(bits);
        let address = Address::parse("redis://redis").unwrap();
        let link = Link::new(
            address,
            LinkTimes::default(),
            replica.as_str(),
            told.clone(),
        );
        let link = Arc::new(link.dialled_by(Arc::new(ToRedis)));
        link.connect().await;
        tokio::spawn(link.clone().keep(std::future::pending()));

        let deaf = self.has(Defect::DeafToRevocations);
        let kept = NetRevocations::load(self.database.clone(), deaf).await;
        let followed = FollowedRevocations::new(kept.clone(), kept, Some(link.clone()), BOUND);
        let followed = Arc::new(followed);
        let live = Arc::<LiveSessions>::default();
        self.carried.lock().unwrap().insert(self.name, live.clone());
        let never = std::future::pending();
        tokio::spawn(followed.clone().follow(live.clone(), told, never));

        let audit = SimTrail::open(self.disk.clone(), self.has(Defect::EarlyRecords));
        let audit = Arc::new(audit);
        let passes = RedisPasses::new(link.clone(), clock.clone());
        let broker = Arc::new(Broker::new(Parts {
            authenticator: Arc::new(AtTheirWord),
            policy: Arc::new(policy()),
            audit: audit.clone(),
            quotas: self.quotas(&link),
            leases: leases(&link, &clock, "grants", LeasePolicy::UntilItsEnd),
            interviews: Arc::new(NoInterviews),
            grants: Arc::new(NetGrants(self.database.clone())),
            revocations: followed,
            minter: Arc::new(ToOpenAi(self.openai.clone())),
            sessions: SessionParts {
                live: live.clone(),
                peers: peers(&link, replica, &live),
                passes: match self.has(Defect::PassesStay) {
                    true => Arc::new(Staying(passes)),
                    false => Arc::new(passes),
                },
                leases: leases(&link, &clock, "live", LeasePolicy::WhileHeld),
                usage: Arc::new(MemoryUsage::default()),
                pass_hasher: key.hasher(Purpose::Pass),
                base_url: "https://voice.example.com".to_owned(),
            },
            clock: clock.clone(),
            ids: ids.clone(),
            value_hasher: key.hasher(Purpose::Audit),
            safety_hasher: key.hasher(Purpose::SafetyIdentifier),
            mint_deadline: Duration::from_secs(5),
        }));
        let desk = self.desk(&broker, &clock, process);
        App::new(AppParts {
            broker,
            guard: Arc::new(FrontGuard::new(OPEN)),
            keys: Arc::new(KeyIssuer::new(
                Arc::new(NoKeys),
                key.hasher(Purpose::ApiKey),
                clock,
                ids,
            )),
            metrics: Arc::new(Metrics::new("0")),
            traces: Traces::default(),
            health: Arc::new(Well),
            alerts: Arc::new(MemoryAlerts::default()),
            counted: Arc::default(),
            trail: Arc::new(Well),
            relay: None,
            calls: Some(desk),
            origins: Origins::new([], []).unwrap(),
            capacity: Capacity::default(),
            idempotency: Duration::from_secs(30),
            trusted_proxies: TrustedProxies::default(),
            https: false,
            version: "0",
        })
    }

    fn quotas(&self, link: &Arc<Link>) -> Arc<dyn Quotas> {
        let alone = Arc::new(MemoryQuotas::default());
        if self.has(Defect::CountsAlone) {
            return alone;
        }
        let together = RedisQuotas::new(link.clone());
        Arc::new(ShareQuotas::new(together, alone, REPLICAS))
    }

    fn desk(&self, broker: &Arc<Broker>, clock: &Arc<dyn Clock>, process: u64) -> Arc<CallDesk> {
        let standing = Arc::new(NetCalls::new(self.database.clone(), process));
        tokio::spawn(keep_beating(standing.clone()));
        let desk = CallDesk::new(CallParts {
            broker: broker.clone(),
            maker: Arc::new(ToOpenAi(self.openai.clone())),
            standing,
            clock: clock.clone(),
            prices: Arc::new(Prices::new([]).unwrap()),
            deadline: Duration::from_secs(15),
            patience: Patience::default(),
        });
        if !self.has(Defect::OrphansStay) {
            let taking = desk.clone();
            tokio::spawn(async move {
                loop {
                    let _ = taking.take_over().await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        desk
    }
}

fn leases(
    link: &Arc<Link>,
    clock: &Arc<dyn Clock>,
    what: &'static str,
    policy: LeasePolicy,
) -> Arc<ShareLeases> {
    let together = Arc::new(RedisLeases::new(link.clone(), clock.clone(), what, policy));
    tokio::spawn(together.clone().beat(std::future::pending()));
    let alone = Arc::new(MemoryLeases::default());
    Arc::new(ShareLeases::new(together, alone, REPLICAS))
}

fn peers(link: &Arc<Link>, replica: Replica, live: &Arc<LiveSessions>) -> Arc<RedisPeers> {
    let peers = RedisPeers::new(link.clone(), replica, live.clone());
    tokio::spawn(peers.clone().announce(std::future::pending()));
    tokio::spawn(peers.clone().listen(std::future::pending()));
    peers
}

/// Limits of addresses that nobody here reaches.
const OPEN: FrontLimits = FrontLimits {
    per_address_per_minute: 1_000_000,
    spare_loopback: false,
    bad_keys_per_minute: 1_000_000,
    bad_credentials_per_minute: 1_000_000,
    spare_loopback_credentials: false,
};

/// Writes into the trace what becomes of Redis and revocations.
struct Told(&'static str, Trace);

impl LinkObserver for Told {
    fn lost(&self, why: &str) {
        self.1.note(format_args!("{} counts alone: {why}", self.0));
    }

    fn regained(&self, _: Duration) {
        self.1
            .note(format_args!("{} counts with the others", self.0));
    }

    fn emptied(&self) {
        self.1.note(format_args!("{} finds Redis emptied", self.0));
    }
}

impl FreshnessObserver for Told {
    fn read(&self) {}

    fn failed(&self, _: &StoreError) {}

    fn ended(&self, _: &Revocation, sessions: u64) {
        self.1
            .note(format_args!("{} ends {sessions} revoked", self.0));
    }

    fn knows(&self, _: Duration, _: bool) {}

    fn turned(&self, fresh: bool, _: Duration) {
        let word = if fresh { "knows" } else { "does not know" };
        self.1
            .note(format_args!("{} {word} the revocations", self.0));
    }
}

/// Passes that are never used up.
struct Staying(RedisPasses);

#[async_trait]
impl Passes for Staying {
    async fn keep(&self, pass: &PassRecord) -> Result<(), StoreError> {
        self.0.keep(pass).await
    }

    async fn find(
        &self,
        grant: &hallpass_core::ids::GrantId,
    ) -> Result<Option<PassRecord>, StoreError> {
        self.0.find(grant).await
    }

    async fn spend(&self, _: &hallpass_core::ids::GrantId) -> Result<Spent, StoreError> {
        Ok(Spent::First)
    }

    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.0.forget(before).await
    }
}

/// Nobody here has an API key.
struct NoKeys;

#[async_trait]
impl KeyDirectory for NoKeys {
    async fn find(&self, _: &CredentialId) -> Result<Option<StoredKey>, StoreError> {
        Ok(None)
    }

    async fn insert(&self, _: &StoredKey) -> Result<(), StoreError> {
        Ok(())
    }

    async fn list(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn revoke(&self, _: &CredentialId, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn supersede(
        &self,
        _: &CredentialId,
        _: &CredentialId,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn touch(&self, _: &CredentialId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Nobody here asks how the parts are.
struct Well;

impl Health for Well {
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        Vec::new()
    }

    fn force_breaker(&self, _: &str, _: BreakerWish) -> bool {
        false
    }

    fn waiting_grants(&self) -> usize {
        0
    }
}

#[async_trait]
impl TrailSearch for Well {
    async fn find(&self, _: AuditQuery) -> Result<Vec<FoundRecord>, StoreError> {
        Ok(Vec::new())
    }
}

use no_interviews::NoInterviews;

mod no_interviews {
    //! Nobody here registers interviews.

    use async_trait::async_trait;
    use hallpass_core::{
        Timestamp,
        ids::SessionId,
        interview::{
            Interview, InterviewFilter, InterviewStanding, Interviews, Registration, Reserved,
        },
        ports::StoreError,
    };

    pub(super) struct NoInterviews;

    #[async_trait]
    impl Interviews for NoInterviews {
        async fn register(&self, _: &Interview) -> Result<Registration, StoreError> {
            Ok(Registration::Taken)
        }

        async fn find(&self, _: &SessionId) -> Result<Option<InterviewStanding>, StoreError> {
            Ok(None)
        }

        async fn list(&self, _: &InterviewFilter) -> Result<Vec<InterviewStanding>, StoreError> {
            Ok(Vec::new())
        }

        async fn end(
            &self,
            _: &SessionId,
            _: Timestamp,
        ) -> Result<Option<InterviewStanding>, StoreError> {
            Ok(None)
        }

        async fn reserve(&self, _: &SessionId, _: Timestamp) -> Result<Reserved, StoreError> {
            Ok(Reserved::Over)
        }

        async fn is_open(&self, _: &SessionId, _: Timestamp) -> Result<bool, StoreError> {
            Ok(false)
        }

        fn release(&self, _: &SessionId) {}
    }
}
