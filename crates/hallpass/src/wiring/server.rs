//! The server: its parts in the order in which they are made and undone.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use hallpass_config::{Config, Loaded, section};
use hallpass_console::Timeline;
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    hash::Purpose,
    key_issuer::KeyIssuer,
    pipeline::{Broker, Parts},
    ports::{AuditLog, Clock},
};
use hallpass_http::{App, AppParts, Capacity, Origins, serve::tls::TlsReloader};
use hallpass_store_sqlite::{Database, SqliteAlerts};
use hallpass_telemetry::{LogFormat, LogGuard, LogSettings, Metrics};

use tokio_util::sync::CancellationToken;

use super::{
    alerts::{AlertParts, board::Board},
    authentication, calls, client_files,
    clock::{SystemClock, SystemIds, now},
    console,
    counting::CountingParts,
    durable::{Closing, Durable, Opening},
    follow::FollowedTrail,
    following, guard, install, life,
    lifecycle::{Stopping, Tasks},
    listener::{self, Listener},
    observed::{self, ObservedMinter, PoolTold},
    policy,
    recent_mints::RecentMints,
    relay,
    reload::{Again, Reloader},
    self_scan::SelfScan,
    sessions,
    shared::{self, Shared},
    traces, trail, upstream,
};
use crate::cli::Stop;

/// The file of the alerts within the data directory.
const ALERTS: &str = "alerts.db";

const DAY: Duration = Duration::from_secs(86_400);

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often the certificate's files are looked at.
const TLS_WATCH: Duration = Duration::from_secs(5);

/// How long live sessions may take to be told.
const SESSIONS_END: Duration = Duration::from_secs(5);

/// What `hallpass dev` serves beside the public and the admin listener.
#[derive(Default)]
pub(crate) struct Extras {
    /// A second public listener that speaks TLS.
    pub(crate) tls: Option<Listener>,
    /// Listeners bound before, so that their ports are known.
    pub(crate) bound: Option<(Listener, Listener)>,
    /// Other origins this server is reached at.
    pub(crate) own_origins: Vec<String>,
    /// How the configuration is read again; none where it never is.
    pub(crate) again: Option<Again>,
    /// Pages beside the API's routes.
    pub(crate) pages: axum::Router,
}

/// A server that is ready to listen.
pub(crate) struct Server {
    app: App,
    settings: section::Server,
    public: Listener,
    admin: Listener,
    tls: Option<Listener>,
    tasks: Tasks,
    trail: Arc<FollowedTrail>,
    durable: Closing,
    pages: axum::Router,
    console: axum::Router<App>,
    /// Cancelled by a task that dies.
    died: CancellationToken,
}

/// Starts the log of the configuration.
pub(crate) fn start_log(config: &Config) -> Result<LogGuard, Stop> {
    let format = match config.log.format {
        section::LogFormat::Json => LogFormat::Json,
        section::LogFormat::Text => LogFormat::Text,
    };
    Ok(hallpass_telemetry::start_logs(&LogSettings {
        format,
        filter: config.log.level.clone(),
        now,
    })?)
}

impl Server {
    /// Makes every part, in the order in which one needs the other.
    pub(crate) async fn build(loaded: Loaded, mut extras: Extras) -> Result<Self, Stop> {
        let config = &loaded.config;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::new(VERSION));
        let rules = Arc::new(policy::policy(config)?);

        let install_key = install::open_key(&config.server)?;
        let joined = trail::Joined::before_the_trail(config).await?;
        let trail = match &joined {
            Some(joined) => joined.trail(config, metrics.clone()).await?,
            None => trail::open(config, metrics.clone())?,
        };
        let progress = trail.progress();
        let trail = Arc::new(FollowedTrail::new(trail));
        let last = match &joined {
            Some(joined) => trail::last_in(joined).await?,
            None => trail::last_of(&config.audit.dir).await?,
        };
        trail::note_gap(last, &*trail).await?;

        let died = CancellationToken::new();
        let tasks = Tasks::new(died.clone());
        let (spans, collector) = traces::start(config, VERSION, &metrics, &tasks)?;
        let opening = Opening {
            config,
            install_key: &install_key,
            trail: &trail,
            metrics: &metrics,
            tasks: &tasks,
            joined,
        };
        let durable = Durable::open(&opening).await?;
        loaded
            .ready_to_serve(durable.has_usable_key)
            .map_err(|problems| Stop::usage(problems.to_string()))?;
        life::start(config, &durable, &trail, &metrics, &tasks);
        let timeline = Arc::new(Timeline::default());
        let console = console::routes(config, &progress, &timeline);
        let born = progress.durable();
        let board = Arc::new(Board::default());
        let beside = trail::Beside {
            config,
            install_key: &install_key,
            progress: progress.clone(),
            log: trail.clone(),
            metrics: metrics.clone(),
            fleet: durable.fleet.clone(),
            board: board.clone(),
        };
        beside.start(&tasks)?;
        let key_hasher = install_key.hasher(Purpose::ApiKey);
        let issuer = KeyIssuer::new(
            durable.keys.clone(),
            key_hasher.clone(),
            clock.clone(),
            Arc::new(SystemIds),
        );
        let keys = durable.keys.clone();
        let chain =
            authentication::chain(config, clock.clone(), keys.clone(), key_hasher, &tasks).await?;
        let told = shared::told(&metrics, trail.clone(), &clock);
        let held = durable.held.clone();
        let shared = Shared::open(config, held, told.clone(), &tasks).await?;
        let revocations = shared.follow(config, &durable, &told, &tasks);

        let recent = Arc::new(RecentMints::new(metrics.clone()));
        tasks.spawn("recent-mints", |stop| recent.clone().watch(stop));
        let told = PoolTold {
            metrics: metrics.clone(),
            audit: trail.clone(),
            clock: clock.clone(),
        };
        let hasher = install_key.hasher(Purpose::Audit);
        let pool = upstream::pool(config, &clock, &hasher, Arc::new(told))?;
        let pool = Arc::new(pool);
        observed::show_breakers(&pool, &metrics);
        let minter = Arc::new(ObservedMinter {
            pool: pool.clone(),
            metrics: metrics.clone(),
            recent: recent.clone(),
        });

        let sessions = sessions::parts(config, &durable, &install_key, &shared, &tasks);
        let broker = Arc::new(Broker::new(Parts {
            authenticator: chain,
            policy: rules,
            audit: trail.clone(),
            quotas: shared.quotas,
            leases: shared.grants,
            interviews: durable.interviews.clone(),
            grants: durable.grants.clone(),
            revocations,
            minter,
            sessions,
            clock: clock.clone(),
            ids: Arc::new(SystemIds),
            value_hasher: install::audit_hasher(&config.server.data_dir)?,
            safety_hasher: install_key.hasher(Purpose::SafetyIdentifier),
            mint_deadline: upstream::LONGEST_MINT,
        }));
        let counted = Arc::<AtomicU64>::default();
        let counting = CountingParts {
            dir: config.audit.dir.clone(),
            progress: progress.clone(),
            born,
            timeline,
            metrics: metrics.clone(),
            broker: broker.clone(),
            counted: counted.clone(),
            kept: DAY * config.grants.retention_days,
        };
        counting.start(&tasks);
        // Each replica keeps its own, whatever store they share.
        let kept = Database::open(&config.server.data_dir.join(ALERTS)).await?;
        let alerts = Arc::new(SqliteAlerts::new(kept));
        let scan = SelfScan::new(
            config,
            (keys.clone(), install_key.hasher(Purpose::ApiKey)),
            broker.clone(),
            board.clone(),
            trail.clone(),
        )?;
        let watched = AlertParts {
            config,
            store: alerts.clone(),
            board,
            broker: broker.clone(),
            pool: pool.clone(),
            keys,
            trail: progress,
            log: trail.clone(),
            metrics: metrics.clone(),
        };
        watched.start(&tasks).await?;
        if let Some(scan) = scan {
            tasks.spawn("self-scan", |stop| scan.run(stop));
        }
        let reloader = Arc::new(Reloader {
            broker: broker.clone(),
            pool: pool.clone(),
            metrics: metrics.clone(),
            hasher,
            config: tokio::sync::Mutex::new(config.clone()),
        });
        tasks.spawn("key-watch", |stop| reloader.clone().watch_keys(stop));
        if let Some(again) = extras.again.take() {
            tasks.spawn("reload", |stop| reloader.on_hangup(again, stop));
        }

        let relay = relay::relay(config, pool.clone())?;
        let prices = relay.carried.prices.clone();
        let standing = durable.calls.clone();
        let desk = calls::desk(broker.clone(), pool.clone(), standing, clock, prices).await?;
        if durable.fleet.is_some() {
            following::calls(&desk, &metrics, &tasks);
        }

        let certificate = certificate(&config.server, &tasks)?;
        let guard = guard::watch(config, broker.clone(), &tasks);
        let app = App::new(AppParts {
            broker,
            guard,
            keys: Arc::new(issuer),
            relay: Some(relay),
            calls: Some(desk),
            metrics,
            traces: spans,
            health: Arc::new(observed::Parts {
                pool,
                collector,
                waiting: durable.waiting.clone(),
                recent,
            }),
            alerts,
            counted,
            trail: trail::searched(&config.audit.dir, durable.fleet.as_ref()),
            origins: origins(config, &extras)?,
            capacity: Capacity {
                mints: config.mint.max_in_flight,
                wait: Duration::from_millis(config.mint.max_wait_ms),
            },
            idempotency: Duration::from_secs(config.mint.idempotency_seconds),
            trusted_proxies: listener::trusted_proxies(&config.server),
            https: config
                .server
                .public_url
                .as_ref()
                .is_some_and(|url| url.scheme() == "https"),
            version: VERSION,
        });
        let (public, admin) = match extras.bound {
            Some(bound) => bound,
            None => (
                Listener::bind(config.server.listen, certificate)?,
                Listener::bind(config.server.admin_listen, None)?,
            ),
        };
        let settings = config.server.clone();
        Ok(Self {
            app,
            settings,
            public,
            admin,
            tls: extras.tls,
            tasks,
            trail,
            durable: durable.closing(),
            pages: extras.pages,
            console,
            died,
        })
    }

    /// Serves until told to stop, then undoes the parts in reverse.
    pub(crate) async fn run(self, stopping: Stopping) -> Result<(), Stop> {
        self.record(Action::ServerStart).await?;
        tracing::info!(version = VERSION, public = %self.public.address, admin = %self.admin.address, "serving");
        let serving = tokio_util::task::TaskTracker::new();
        // Cut off is who comes after the delay, not who comes before.
        let closing = Stopping {
            soft: CancellationToken::new(),
            hard: stopping.hard.clone(),
        };
        // One table of routes: behind another it would cost each request a second search.
        let public = hallpass_http::public(self.app.clone())
            .merge(client_files::routes())
            .merge(self.pages);
        for listener in std::iter::once(self.public).chain(self.tls) {
            serving.spawn(listener.serve(public.clone(), self.settings.clone(), closing.clone()));
        }
        let admin = hallpass_http::admin(self.app.clone(), self.console);
        serving.spawn(
            self.admin
                .serve(admin, self.settings.clone(), closing.clone()),
        );
        serving.close();

        let delay = tokio::select! {
            () = stopping.soft.cancelled() => Duration::from_secs(self.settings.drain_delay_seconds),
            () = self.died.cancelled() => {
                stopping.soft.cancel();
                Duration::ZERO
            }
        };
        self.app.drain();
        if !delay.is_zero() {
            tracing::info!(
                delay_seconds = delay.as_secs(),
                "stopping: /readyz says so, and requests are still taken"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stopping.hard.cancelled() => {}
        }
        tracing::info!("stopping: finishing what is under way");
        // Relayed sessions are told to come back; they are connections, too.
        tokio::select! {
            () = self.app.end_sessions() => {}
            () = tokio::time::sleep(SESSIONS_END) => {}
            () = stopping.hard.cancelled() => {}
        }
        closing.soft.cancel();
        serving.wait().await;
        self.app.flush().await;
        let tasks = self.tasks.stop().await;
        let recorded = record(&self.trail, Action::ServerStop).await;
        self.durable.close().await;
        let trail = self.trail;
        // It may wait for a database, which needs this thread.
        tokio::task::spawn_blocking(move || trail.close()).await?;
        tracing::info!("stopped");
        tasks?;
        recorded.map_err(|why| Stop::no(format!("the server's end is not recorded: {why}")))
    }

    async fn record(&self, action: Action) -> Result<(), Stop> {
        record(&self.trail, action).await
    }
}

async fn record(trail: &FollowedTrail, action: Action) -> Result<(), Stop> {
    let mut event = AuditEvent::outcome(now(), action, Outcome::Success);
    event.facts = vec![
        ("version", VERSION.to_owned()),
        ("pid", std::process::id().to_string()),
    ];
    trail.append(event).await?;
    Ok(())
}

/// The certificate of the public listener, watched for changes.
fn certificate(
    settings: &section::Server,
    tasks: &Tasks,
) -> Result<Option<Arc<TlsReloader>>, Stop> {
    let Some(files) = &settings.tls else {
        return Ok(None);
    };
    let reloader = TlsReloader::open(&files.cert_file, &files.key_file)?;
    let watched = reloader.clone();
    tasks.spawn("tls-watch", |stop| watched.watch(TLS_WATCH, stop, |_| {}));
    Ok(Some(reloader))
}

/// Pages that may call: the listed ones, and those of this server itself.
fn origins(config: &Config, extras: &Extras) -> Result<Origins, Stop> {
    let public = config
        .server
        .public_url
        .as_ref()
        .map(|url| url.origin().ascii_serialization());
    let own = public.iter().chain(&extras.own_origins).map(String::as_str);
    Ok(Origins::new(
        config.server.allowed_origins.iter().map(String::as_str),
        own,
    )?)
}
