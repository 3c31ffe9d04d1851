//! Alerts: the trail is followed and the parts are looked at, a rule engine
//! judges, and what begins or ends is kept, told and sent.
//!
//! None of it is on a request's path. [`follow`] reads records that are durable
//! already; [`board`] and [`sight`] know how things are; [`desk`] has the
//! engine; [`delivery`] sends from an outbox that survives restarts.

pub(crate) mod board;
mod budgets;
mod delivery;
mod desk;
mod expiring;
mod follow;
mod message;
mod rules;
mod sight;
mod sign;

use std::sync::Arc;

use hallpass_config::Config;
use hallpass_core::{
    alert::{AlertBook, Engine, Outbox},
    pipeline::Broker,
    ports::{AuditLog, KeyDirectory},
};
use hallpass_store_sqlite::SqliteAlerts;
use hallpass_telemetry::Metrics;
use hallpass_upstream::Pool;

use self::{
    board::Board, budgets::Budgets, delivery::Courier, desk::Desk, expiring::Expiring,
    follow::TrailSight, sight::Sight,
};
use super::lifecycle::Tasks;
use crate::cli::Stop;

/// What alerts look at, and whom they tell.
pub(crate) struct AlertParts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) store: Arc<SqliteAlerts>,
    pub(crate) board: Arc<Board>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) keys: Arc<dyn KeyDirectory>,
    pub(crate) trail: hallpass_audit::Progress,
    pub(crate) log: Arc<dyn AuditLog>,
    pub(crate) metrics: Arc<Metrics>,
}

impl AlertParts<'_> {
    /// Starts the desk and a courier for each receiver.
    pub(crate) async fn start(self, tasks: &Tasks) -> Result<(), Stop> {
        let settings = &self.config.alerts;
        let active = self.store.active().await?;
        self.board.restore(&active);
        let rules = rules::rules(settings);
        for rule in &rules {
            self.metrics.alerts.rule(&rule.name, rule.severity.into());
        }
        for alert in &active {
            let severity = alert.severity.into();
            self.metrics.alerts.started(&alert.rule, severity, false);
        }
        let longest = rules.iter().map(|rule| rule.window).max();
        let couriers = self.couriers().await?;
        let dir = &self.config.audit.dir;
        let desk = Desk {
            engine: Engine::new(rules, active),
            trail: TrailSight::new(dir, self.trail, longest.unwrap_or_default()),
            book: self.store,
            receivers: couriers.iter().map(Courier::receiver).collect(),
            sight: Sight {
                pool: self.pool,
                board: self.board,
                budgets: Budgets::new(self.broker),
                expiring: Expiring::new(self.config, self.keys),
            },
            log: self.log,
            metrics: self.metrics,
            unkept: desk::Unkept::default(),
            every: std::time::Duration::from_millis(settings.look_ms),
            kept_days: settings.retention_days,
        };
        tasks.spawn("alerts", |stop| desk.run(stop));
        for courier in couriers {
            tasks.spawn("alert-delivery", |stop| courier.run(stop));
        }
        Ok(())
    }

    async fn couriers(&self) -> Result<Vec<Courier>, Stop> {
        let source = self.config.server.public_url.as_ref();
        let source = source.and_then(|url| url.host_str()).unwrap_or("hallpass");
        let mut couriers = Vec::new();
        for webhook in &self.config.alerts.webhook {
            let outbox: Arc<dyn Outbox> = self.store.clone();
            let courier = Courier::new(webhook, source, outbox, self.metrics.clone())?;
            couriers.push(courier);
        }
        let names: Vec<String> = couriers.iter().map(|it| it.receiver().name).collect();
        let gone = self.store.keep_only(&names).await?;
        if gone > 0 {
            tracing::warn!(
                letters = gone,
                "alerts: messages to webhooks that are not configured any more were dropped"
            );
        }
        Ok(couriers)
    }
}
