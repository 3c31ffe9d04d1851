//! Takes letters from the outbox to one receiver, for as long as it takes.

use std::{sync::Arc, time::Duration};

use hallpass_config::section::{Webhook, WebhookFormat};
use hallpass_core::{
    Timestamp,
    alert::{Letter, Outbox, Severity},
    ports::{Ids, StoreError},
};
use hallpass_telemetry::{Delivery, Metrics};
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{message, rules, sign::Signer};
use crate::{
    cli::Stop,
    wiring::{
        clock::{SystemIds, now},
        outbound::Outbound,
    },
};

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// Letters taken from the outbox at once.
const BATCH: usize = 16;
/// How often the outbox is looked at where nothing says that it changed.
const LOOK: Duration = Duration::from_secs(60);
/// How long it waits where the outbox itself can't be read.
const STORE_AWAY: Duration = Duration::from_secs(5);

/// Who is told, and of what.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) name: String,
    pub(super) least: Severity,
    /// Told when there is a new letter.
    pub(super) wake: Arc<Notify>,
}

/// Carries letters to one receiver.
pub(super) struct Courier {
    receiver: Receiver,
    format: WebhookFormat,
    url: Url,
    secret: Option<SecretString>,
    signer: Option<Signer>,
    source: String,
    outbound: Outbound,
    outbox: Arc<dyn Outbox>,
    metrics: Arc<Metrics>,
    waits: (Duration, Duration),
    give_up: Duration,
}

/// Why a letter was not taken.
struct Untaken {
    why: String,
    /// When the receiver wants it again.
    wait: Option<Duration>,
}

impl Courier {
    /// The courier of a configured webhook.
    pub(super) fn new(
        webhook: &Webhook,
        source: &str,
        outbox: Arc<dyn Outbox>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Stop> {
        let url = webhook.url.as_ref().map(ExposeSecret::expose_secret);
        let timeout = Duration::from_millis(webhook.timeout_ms);
        let signs = webhook.format == WebhookFormat::Standard;
        let secret = webhook.secret.clone();
        metrics.alerts.waiting(&webhook.name, 0);
        Ok(Self {
            receiver: Receiver {
                name: webhook.name.clone(),
                least: rules::least(webhook.min_severity),
                wake: Arc::default(),
            },
            format: webhook.format,
            url: url.unwrap_or(PAGERDUTY).parse()?,
            signer: secret.as_ref().filter(|_| signs).map(Signer::new),
            secret,
            source: source.to_owned(),
            outbound: Outbound::new(timeout, webhook.allow_private_addresses)?,
            outbox,
            metrics,
            waits: (
                Duration::from_secs(webhook.retry_seconds.into()),
                Duration::from_secs(webhook.max_retry_seconds.into()),
            ),
            give_up: Duration::from_secs(u64::from(webhook.give_up_hours) * 3600),
        })
    }

    /// Whom it carries to.
    pub(super) fn receiver(&self) -> Receiver {
        self.receiver.clone()
    }

    /// Carries until told to stop; what is left waits for the next start.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            let wait = tokio::select! {
                () = stop.cancelled() => return,
                done = self.round() => done.unwrap_or_else(|error| {
                    tracing::error!(%error, "alerts: the outbox can't be read or written; trying again");
                    STORE_AWAY
                }),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.receiver.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Carries what is due; how long until there is more.
    async fn round(&self) -> Result<Duration, StoreError> {
        let name = &self.receiver.name;
        loop {
            let waiting = self.outbox.waiting(name).await?;
            self.metrics.alerts.waiting(name, waiting);
            let letters = self.outbox.due(name, now(), BATCH).await?;
            if letters.is_empty() {
                break;
            }
            for letter in &letters {
                self.carry(letter).await?;
            }
        }
        let next = self.outbox.next_due(name).await?;
        let wait = next.map(|due| Duration::try_from(due.duration_since(now())));
        Ok(wait.map_or(LOOK, |wait| wait.unwrap_or_default().min(LOOK)))
    }

    async fn carry(&self, letter: &Letter) -> Result<(), StoreError> {
        let name = &self.receiver.name;
        let Err(untaken) = self.send(letter).await else {
            self.metrics.alerts.delivery(name, Delivery::Taken);
            return self.outbox.remove(&letter.id).await;
        };
        let (alert, tries) = (letter.alert.id.as_str(), letter.tries + 1);
        let age = Duration::try_from(now().duration_since(letter.written_at));
        if age.unwrap_or_default() >= self.give_up {
            self.metrics.alerts.delivery(name, Delivery::GivenUp);
            tracing::error!(
                receiver = name,
                alert,
                tries,
                why = untaken.why,
                "alerts: nobody took a message for so long that it is given up"
            );
            return self.outbox.remove(&letter.id).await;
        }
        self.metrics.alerts.delivery(name, Delivery::Failed);
        tracing::warn!(
            receiver = name,
            alert,
            tries,
            why = untaken.why,
            "alerts: a message was not taken; it is sent again"
        );
        let wait = self.wait(letter.tries, untaken.wait);
        let until = now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.outbox.put_off(&letter.id, until).await
    }

    /// Twice as long each time, less up to a half by chance.
    fn wait(&self, tries: u32, wanted: Option<Duration>) -> Duration {
        let (first, longest) = self.waits;
        let doubled = first.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX));
        let mut chance = [0; 2];
        SystemIds.fill(&mut chance);
        let full = doubled.min(longest);
        let less = full.mul_f64(f64::from(u16::from_be_bytes(chance)) / 65_536.0 / 2.0);
        (full - less).max(wanted.unwrap_or_default().min(longest))
    }

    async fn send(&self, letter: &Letter) -> Result<(), Untaken> {
        let untaken = |why: String| Untaken { why, wait: None };
        self.outbound.judge(&self.url).map_err(untaken)?;
        let key = self.secret.as_ref().map(ExposeSecret::expose_secret);
        let body = message::body(self.format, letter, &self.source, key);
        let body = serde_json::to_vec(&body).map_err(|error| untaken(error.to_string()))?;
        let at = now();
        let mut request = self
            .outbound
            .client()
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &letter.id)
            .header("webhook-timestamp", at.as_second());
        if let Some(signer) = &self.signer {
            let signature = signer.sign(&letter.id, at, &body);
            request = request.header("webhook-signature", signature);
        }
        // What it answers is not read: only that it took it matters.
        let answer = request.body(body).send().await;
        let answer = answer.map_err(|error| untaken(error.without_url().to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let busy = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| {
            let seconds = wait.to_str().ok()?.parse().ok()?;
            busy.contains(&status).then(|| Duration::from_secs(seconds))
        });
        Err(Untaken {
            why: format!("it answered {status}"),
            wait,
        })
    }
}
