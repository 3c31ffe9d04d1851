//! Sends the trail's records elsewhere: standard output, or OTLP over HTTP.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hallpass_audit::{Receiver, Shipper, ShippingObserver, otlp_logs};
use hallpass_core::alert::RuleKind;
use hallpass_telemetry::Metrics;
use reqwest::{Client, redirect::Policy};

use super::{Beside, stdout};
use crate::{
    cli::Stop,
    wiring::{
        alerts::board::{Board, cause},
        lifecycle::Tasks,
    },
};

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn start(beside: &Beside<'_>, tasks: &Tasks) -> Result<(), Stop> {
    for place in &beside.audit().ship_to {
        let receiver: Box<dyn Receiver> = match place.as_str() {
            "stdout" => Box::new(Stdout),
            url => Box::new(Otlp {
                client: client()?,
                url: url.to_owned(),
            }),
        };
        send(beside, (cursor_name(place), receiver), tasks)?;
    }
    Ok(())
}

/// Starts sending to a receiver of a name of its own.
pub(super) fn send(
    beside: &Beside<'_>,
    (name, receiver): (String, Box<dyn Receiver>),
    tasks: &Tasks,
) -> Result<(), Stop> {
    let shipper = Shipper::open(&beside.audit().dir, &name)?;
    let (progress, metrics) = (beside.progress.clone(), beside.metrics.clone());
    let board = beside.board.clone();
    tasks.spawn("trail-shipper", |stop| async move {
        let observer = Observer {
            metrics,
            board,
            name,
        };
        let stopped = stop.clone();
        let stopped = async move { stopped.cancelled().await };
        shipper.run(&*receiver, &progress, &observer, stopped).await;
        stop.cancelled().await;
    });
    Ok(())
}

/// A receiver's name in files and metrics: an address without what it hides.
fn cursor_name(place: &str) -> String {
    let host = reqwest::Url::parse(place).ok();
    let host = host.as_ref().and_then(reqwest::Url::host_str);
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    host.map_or_else(
        || place.to_owned(),
        |host| format!("otlp-{}", host.chars().map(plain).collect::<String>()),
    )
}

/// A client that follows nobody elsewhere.
pub(super) fn client() -> Result<Client, Stop> {
    Ok(Client::builder()
        .timeout(DEADLINE)
        .redirect(Policy::none())
        .build()?)
}

/// Posts a body; anything but a success is an error.
pub(super) async fn post(
    client: &Client,
    url: &str,
    content_type: &str,
    body: String,
) -> Result<(), String> {
    let request = client
        .post(url)
        .header(reqwest::header::CONTENT_TYPE, content_type)
        .body(body);
    let answer = request.send().await;
    let status = answer
        .map_err(|error| error.without_url().to_string())?
        .status();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("it answered {status}"))
}

struct Stdout;

#[async_trait]
impl Receiver for Stdout {
    async fn take(&self, lines: &[String]) -> Result<(), String> {
        let mut text = lines.join("\n");
        text.push('\n');
        stdout::write(text).await
    }
}

struct Otlp {
    client: Client,
    url: String,
}

#[async_trait]
impl Receiver for Otlp {
    async fn take(&self, lines: &[String]) -> Result<(), String> {
        let body = otlp_logs(lines, env!("CARGO_PKG_VERSION"));
        post(&self.client, &self.url, "application/json", body).await
    }
}

struct Observer {
    metrics: Arc<Metrics>,
    board: Arc<Board>,
    name: String,
}

impl ShippingObserver for Observer {
    fn lag(&self, records: u64) {
        self.metrics.audit.shipping_lag(&self.name, records);
    }

    fn taken(&self) {
        let receiver = cause("receiver", &self.name);
        self.board.clear(RuleKind::AuditLagging, receiver);
    }

    fn failed(&self, why: &str) {
        let receiver = cause("receiver", &self.name);
        self.board.set(RuleKind::AuditLagging, receiver, why);
        tracing::warn!(
            receiver = self.name,
            why,
            "audit trail: records were not taken; they are sent again"
        );
    }
}
