//! Configuration and keys that change while the server serves.
//!
//! Profiles, roles, global limits and upstreams are put in force as they are
//! read. What else changed can't be without a restart; then all of it is
//! refused, so that the server never runs on half a configuration.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hallpass_config::{Config, Loaded};
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    hash::Hasher,
    pipeline::Broker,
};
use hallpass_telemetry::Metrics;
use hallpass_upstream::Pool;
use secrecy::{ExposeSecret, SecretString};
use tokio::{signal::unix::Signal, sync::Mutex};
use tokio_util::sync::CancellationToken;

use super::{observed, policy, reload_rules, upstream};
use crate::cli::Stop;

/// How often key files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where a configuration is read again, and the signal that asks for it.
pub(crate) struct Again {
    /// SIGHUP, heard from before the first listener on.
    pub(crate) hangup: Signal,
    /// Reads file, environment and flags as at the start.
    pub(crate) load: Box<dyn Fn() -> Result<Loaded, Stop> + Send + Sync>,
}

/// The parts that can change.
pub(crate) struct Reloader {
    pub(crate) broker: Arc<Broker>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hasher: Hasher,
    /// What is in force.
    pub(crate) config: Mutex<Config>,
}

impl Reloader {
    /// Reads the configuration again with each SIGHUP until told to stop.
    pub(crate) async fn on_hangup(self: Arc<Self>, mut again: Again, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                heard = again.hangup.recv() => match heard {
                    Some(()) => self.reload(&*again.load).await,
                    None => return stop.cancelled().await,
                },
            }
        }
    }

    /// Looks at the files of the upstreams' keys until told to stop.
    pub(crate) async fn watch_keys(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => self.look_at_keys().await,
            }
        }
    }

    async fn reload(&self, load: &(dyn Fn() -> Result<Loaded, Stop> + Send + Sync)) {
        let mut config = self.config.lock().await;
        match load().and_then(|loaded| self.apply(&config, &loaded.config).map(|it| (it, loaded))) {
            Ok((changed, loaded)) => {
                for warning in &loaded.warnings {
                    tracing::warn!("{warning}");
                }
                *config = loaded.config;
                self.record(&changed.join(", "), None).await;
            }
            Err(why) => self.record("", Some(why.to_string())).await,
        }
    }

    /// Puts a whole configuration in force, or nothing of it; what changed.
    fn apply(&self, old: &Config, new: &Config) -> Result<Vec<&'static str>, Stop> {
        let fixed = reload_rules::fixed_changes(old, new);
        if !fixed.is_empty() {
            return Err(Stop::usage(format!(
                "{} can't change without a restart; everything stays as it was",
                fixed.join(", ")
            )));
        }
        let rules = policy::policy(new)?;
        let targets = upstream::targets(&new.upstream, self.broker.clock(), &self.hasher)?;
        self.broker.set_policy(Arc::new(rules));
        self.pool.replace(targets);
        observed::show_breakers(&self.pool, &self.metrics);
        Ok(reload_rules::open_changes(old, new))
    }

    async fn look_at_keys(&self) {
        let mut config = self.config.lock().await;
        let mut next = config.clone();
        let mut changed = Vec::new();
        for section in &mut next.upstream {
            let Some(key) =
                changed_key(section.api_key_file.as_ref(), section.api_key.as_ref()).await
            else {
                continue;
            };
            section.api_key = Some(key);
            changed.push(format!("the key of upstream \"{}\"", section.name));
        }
        if changed.is_empty() {
            return;
        }
        match self.apply(&config, &next) {
            Ok(_) => {
                *config = next;
                self.record(&changed.join(", "), None).await;
            }
            Err(why) => self.record("", Some(why.to_string())).await,
        }
    }

    async fn record(&self, changed: &str, refused: Option<String>) {
        let outcome = match refused {
            None => {
                tracing::info!(changed, "the configuration was read again");
                Outcome::Success
            }
            Some(why) => {
                tracing::error!(why, "the new configuration was refused; the old one stays");
                Outcome::Refused {
                    code: Code::InvalidMember,
                    reason: Some(why),
                }
            }
        };
        let now = self.broker.clock().now();
        let mut event = AuditEvent::outcome(now, Action::ConfigChange, outcome);
        event.facts = vec![("changed", changed.to_owned())];
        // A trail that can't be written stops all minting, which says so itself.
        let _ = self.broker.audit().append(event).await;
    }
}

/// A key file's content, where it is a key and another than the one in force.
///
/// A file that is just being replaced may be gone or empty for a moment; the
/// key in force stays until a whole one is there.
async fn changed_key(
    file: Option<&PathBuf>,
    current: Option<&SecretString>,
) -> Option<SecretString> {
    let text = SecretString::from(tokio::fs::read_to_string(file?).await.ok()?);
    let key = text.expose_secret().trim();
    let same = current.is_some_and(|current| current.expose_secret() == key);
    let whole = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic());
    (whole && !same).then(|| SecretString::from(key))
}
