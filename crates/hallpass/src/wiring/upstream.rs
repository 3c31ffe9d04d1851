//! The upstreams of the configuration as the core's minter.

use std::{sync::Arc, time::Duration};

use hallpass_config::{Config, section};
use hallpass_core::{
    hash::Hasher,
    ports::{Clock, Ids as _},
};
use hallpass_upstream::{
    BreakerSettings, OpenAi, Pool, PoolObserver, PoolParts, Random, RetrySettings, TargetSettings,
    UpstreamKind, UpstreamSettings,
};
use secrecy::ExposeSecret;

use super::clock::SystemIds;
use crate::cli::Stop;

/// No configuration lets a mint take longer; the pool holds each to its own.
pub(crate) const LONGEST_MINT: Duration = Duration::from_secs(60);

/// Characters of a key's public mark.
const MARK: usize = 8;

/// A pool of the upstreams of a configuration.
pub(crate) fn pool(
    config: &Config,
    clock: &Arc<dyn Clock>,
    hasher: &Hasher,
    observer: Arc<dyn PoolObserver>,
) -> Result<Pool, Stop> {
    let pool = Pool::new(PoolParts {
        clock: clock.clone(),
        random: Random::new(draw),
        observer,
        retry: RetrySettings {
            budget_percent: config.mint.retry_budget_percent,
            ..RetrySettings::default()
        },
    });
    pool.replace(targets(&config.upstream, clock, hasher)?);
    Ok(pool)
}

/// A client for each upstream, and what the pool must know of it.
pub(crate) fn targets(
    upstreams: &[section::Upstream],
    clock: &Arc<dyn Clock>,
    hasher: &Hasher,
) -> Result<Vec<(TargetSettings, OpenAi)>, Stop> {
    if upstreams.is_empty() {
        return Err(Stop::usage("no upstream is configured"));
    }
    let targets = upstreams.iter().map(|section| {
        let wrong =
            |error: String| Stop::usage(format!("the upstream \"{}\" {error}", section.name));
        target(section, clock.clone(), hasher).map_err(wrong)
    });
    targets.collect()
}

fn target(
    section: &section::Upstream,
    clock: Arc<dyn Clock>,
    hasher: &Hasher,
) -> Result<(TargetSettings, OpenAi), String> {
    let key = section
        .api_key
        .clone()
        .ok_or("has no key. Set OPENAI_API_KEY, api_key_file or api_key.")?;
    let name = section.name.as_str();
    let mark = hasher.hash(key.expose_secret().as_bytes()).to_hex();
    let mut settings = UpstreamSettings::new(name, section.base_url.clone(), key);
    settings.kind = match section.kind {
        section::UpstreamKind::OpenAi => UpstreamKind::OpenAi,
        section::UpstreamKind::Azure => UpstreamKind::Azure,
    };
    settings.organization = section.organization.clone();
    settings.project = section.project.clone();
    settings.traceparent = section.traceparent;
    settings.connect_timeout = Duration::from_millis(section.connect_timeout_ms);
    if let Some(path) = &section.ca_file {
        let pem = std::fs::read_to_string(path).map_err(|error| {
            format!(
                "trusts a file that can't be read: {}: {error}",
                path.display()
            )
        })?;
        settings.extra_roots_pem = Some(pem);
    }
    // `Debug` hides the key, and the file's content is not in it.
    let identity = format!("{section:?} {mark} {:?}", settings.extra_roots_pem);
    let target = TargetSettings {
        name: settings.name.clone(),
        key: mark.get(..MARK).unwrap_or_default().into(),
        weight: section.weight,
        timeout: Duration::from_millis(section.timeout_ms),
        breaker: breaker(&section.breaker),
        fingerprint: hasher.hash(identity.as_bytes()).to_hex().into(),
    };
    let client = OpenAi::new(settings, clock).map_err(|error| format!("can't be used: {error}"))?;
    Ok((target, client))
}

fn breaker(section: &section::Breaker) -> BreakerSettings {
    BreakerSettings {
        consecutive_failures: section.consecutive_failures,
        failure_percent: section.failure_percent,
        min_calls: section.min_calls,
        window: Duration::from_millis(section.window_ms),
        open: Duration::from_millis(section.open_ms),
        max_open: Duration::from_millis(section.max_open_ms),
    }
}

fn draw() -> u64 {
    let mut bytes = [0; 8];
    SystemIds.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
