//! The server: its parts in the order in which they are made and undone.

use std::sync::Arc;

use hallpass_config::{Config, Loaded, section};
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    hash::Purpose,
    key_issuer::KeyIssuer,
    pipeline::{Broker, Parts},
    ports::AuditLog,
};
use hallpass_http::{App, AppParts, Origins, serve::tls::TlsReloader};
use hallpass_store_memory::{MemoryLeases, MemoryQuotas};
use hallpass_store_sqlite::{
    Database, SqliteGrants, SqliteInterviews, SqliteKeys, SqliteRevocations,
};
use hallpass_telemetry::{LogFormat, LogGuard, LogSettings, Metrics};

use super::{
    authentication,
    clock::{SystemClock, SystemIds, now},
    follow::{self, FollowedTrail},
    guard, install,
    keyring::DATABASE,
    life,
    lifecycle::{Stopping, Tasks},
    listener::{self, Listener},
    observed::{self, ObservedMinter},
    policy, trail, upstream,
};
use crate::cli::Stop;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often the certificate's files are looked at.
const TLS_WATCH: std::time::Duration = std::time::Duration::from_secs(5);

/// What `hallpass dev` serves beside the public and the admin listener.
#[derive(Default)]
pub(crate) struct Extras {
    /// A second public listener that speaks TLS.
    pub(crate) tls: Option<Listener>,
    /// Listeners bound before, so that their ports are known.
    pub(crate) bound: Option<(Listener, Listener)>,
    /// Other origins this server is reached at.
    pub(crate) own_origins: Vec<String>,
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
    database: Database,
    /// Cancelled by a task that dies.
    died: tokio_util::sync::CancellationToken,
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
    })?)
}

impl Server {
    /// Makes every part, in the order in which one needs the other.
    pub(crate) async fn build(loaded: Loaded, extras: Extras) -> Result<Self, Stop> {
        let config = &loaded.config;
        let clock = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::new(VERSION));
        let rules = Arc::new(policy::policy(config)?);
        refuse_unserved_stores(config)?;

        let install_key = install::open_key(&config.server.data_dir)?;
        let (trail, recovery) = trail::open(config, metrics.clone())?;
        let progress = trail.progress();
        let trail = Arc::new(FollowedTrail::new(trail, &recovery));
        trail::note_gap(&config.audit.dir, &*trail).await?;

        let database = Database::open(&config.server.data_dir.join(DATABASE)).await?;
        let keys = Arc::new(SqliteKeys::load(database.clone()).await?);
        let grants = Arc::new(SqliteGrants::new(database.clone()));
        let restored = follow::restore(&grants, &config.audit.dir).await?;
        if restored > 0 {
            tracing::info!(
                grants = restored,
                "grants of the trail's last records are in the registry again"
            );
        }
        loaded
            .ready_to_serve(keys.any_usable(now()))
            .map_err(|problems| Stop::usage(problems.to_string()))?;

        let died = tokio_util::sync::CancellationToken::new();
        let tasks = Tasks::new(died.clone());
        life::start(config, &grants, &trail, &metrics, &tasks);
        let revocations = SqliteRevocations::load(database.clone()).await?;
        let beside = trail::Beside {
            config,
            progress,
            log: trail.clone(),
            metrics: metrics.clone(),
        };
        beside.start(&tasks)?;
        let key_hasher = install_key.hasher(Purpose::ApiKey);
        let issuer = KeyIssuer::new(
            keys.clone(),
            key_hasher.clone(),
            clock.clone(),
            Arc::new(SystemIds),
        );
        let chain = authentication::chain(config, clock.clone(), keys, key_hasher, &tasks).await?;
        let interviews = SqliteInterviews::load(database.clone(), now()).await?;
        let leases = MemoryLeases::with(grants.held(now()).await?);

        let section = config
            .upstream
            .first()
            .ok_or_else(|| Stop::usage("no upstream is configured"))?;
        let (openai, mint_deadline) = upstream::openai(section, clock.clone())?;
        let minter = Arc::new(ObservedMinter::new(
            openai,
            &section.name,
            metrics.clone(),
            clock.clone(),
        ));

        let broker = Arc::new(Broker::new(Parts {
            authenticator: chain,
            policy: rules,
            audit: trail.clone(),
            quotas: Arc::new(MemoryQuotas::default()),
            leases: Arc::new(leases),
            interviews: Arc::new(interviews),
            grants: grants.clone(),
            revocations: Arc::new(revocations),
            minter: minter.clone(),
            clock,
            ids: Arc::new(SystemIds),
            value_hasher: install::audit_hasher(&config.server.data_dir)?,
            safety_hasher: install_key.hasher(Purpose::SafetyIdentifier),
            mint_deadline,
        }));

        let certificate = certificate(&config.server, &tasks)?;
        let guard = guard::watch(&config.limits, broker.clone(), &tasks);
        let app = App::new(AppParts {
            broker,
            guard,
            keys: Arc::new(issuer),
            metrics,
            health: Arc::new(observed::Parts { minter, grants }),
            origins: origins(config, &extras)?,
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
                Listener::bind(config.server.listen, certificate).await?,
                Listener::bind(config.server.admin_listen, None).await?,
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
            database,
            died,
        })
    }

    /// Serves until told to stop, then undoes the parts in reverse.
    pub(crate) async fn run(self, stopping: Stopping) -> Result<(), Stop> {
        self.record(Action::ServerStart).await?;
        tracing::info!(version = VERSION, public = %self.public.address, admin = %self.admin.address, "serving");
        let serving = tokio_util::task::TaskTracker::new();
        let public = hallpass_http::public(self.app.clone());
        for listener in std::iter::once(self.public).chain(self.tls) {
            serving.spawn(listener.serve(public.clone(), self.settings.clone(), stopping.clone()));
        }
        let admin = hallpass_http::admin(self.app.clone());
        serving.spawn(
            self.admin
                .serve(admin, self.settings.clone(), stopping.clone()),
        );
        serving.close();

        tokio::select! {
            () = stopping.soft.cancelled() => {}
            () = self.died.cancelled() => stopping.soft.cancel(),
        }
        tracing::info!("stopping: finishing what is under way");
        self.app.drain();
        serving.wait().await;
        let tasks = self.tasks.stop().await;
        record(&self.trail, Action::ServerStop).await?;
        self.database.close().await;
        self.trail.close();
        tracing::info!("stopped");
        tasks
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

fn refuse_unserved_stores(config: &Config) -> Result<(), Stop> {
    let embedded = config.store.durable.is_embedded() && config.store.shared.is_embedded();
    if embedded {
        return Ok(());
    }
    Err(Stop::usage(
        "this version keeps its records in SQLite and memory only. Set store.durable = \"sqlite\" and store.shared = \"memory\".",
    ))
}
