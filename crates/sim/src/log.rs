//! The log of every request seen.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use http::Method;
use jiff::Timestamp;
use serde::Serialize;

use crate::{credential::LastFour, fault::Route, sync::lock};

/// One request the simulator saw.
#[derive(Debug, Clone, Serialize)]
pub struct LogEntry {
    /// Number of the request, from 0 on; gaps mean nothing was kept.
    pub sequence: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Name of the route as faults use it, or `retired`, `other`.
    pub route: &'static str,
    /// Path without its query.
    pub path: String,
    /// Last four characters of the credential presented.
    pub credential_last_four: Option<String>,
    /// Status answered; none while pending, hung, reset or closed unanswered.
    pub status: Option<u16>,
    /// The `x-request-id` answered.
    pub request_id: String,
    /// `OpenAI-Safety-Identifier` as sent.
    pub safety_identifier: Option<String>,
    /// Last four characters of the client secret a mint issued.
    pub secret_last_four: Option<String>,
    /// The kind of fault that was injected.
    pub fault: Option<&'static str>,
}

/// What is known when a request arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) time: SystemTime,
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) path: Box<str>,
    pub(crate) credential: Option<LastFour>,
    pub(crate) request_id: u128,
    pub(crate) safety_identifier: Option<Box<str>>,
}

#[derive(Debug)]
struct Record {
    arrival: Arrival,
    status: Option<u16>,
    secret: Option<LastFour>,
    fault: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Ring {
    first: u64,
    records: VecDeque<Record>,
}

/// A ring of the latest requests; the lock is held for a push or a look-up.
#[derive(Debug)]
pub(crate) struct RequestLog {
    capacity: usize,
    ring: Mutex<Ring>,
}

/// The place of one request in the log.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    log: Arc<RequestLog>,
    sequence: u64,
}

/// The last four of the secret a mint issued, on its response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IssuedSecret(pub(crate) LastFour);

impl RequestLog {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            capacity,
            ring: Mutex::default(),
        }
    }

    /// Writes the arrival; the ticket completes it.
    pub(crate) fn open(self: &Arc<Self>, arrival: Arrival) -> Ticket {
        let record = Record {
            arrival,
            status: None,
            secret: None,
            fault: None,
        };
        let mut ring = lock(&self.ring);
        if ring.records.len() == self.capacity {
            ring.records.pop_front();
            ring.first += 1;
        }
        let sequence = ring.first + ring.records.len() as u64;
        ring.records.push_back(record);
        Ticket {
            log: Arc::clone(self),
            sequence,
        }
    }

    /// The latest `limit` requests, oldest first.
    pub(crate) fn latest(&self, limit: usize) -> Vec<LogEntry> {
        let ring = lock(&self.ring);
        let skipped = ring.records.len().saturating_sub(limit);
        let first = ring.first;
        let numbered = (first..).zip(&ring.records).skip(skipped);
        numbered
            .map(|(sequence, record)| record.entry(sequence))
            .collect()
    }

    /// Requests no longer kept.
    pub(crate) fn dropped(&self) -> u64 {
        lock(&self.ring).first
    }

    /// Forgets all requests; numbering goes on.
    pub(crate) fn clear(&self) {
        let mut ring = lock(&self.ring);
        ring.first += ring.records.len() as u64;
        ring.records.clear();
    }
}

impl Ticket {
    /// Notes which fault struck.
    pub(crate) fn fault(&self, kind: &'static str) {
        self.with(|record| record.fault = Some(kind));
    }

    /// Notes what was answered.
    pub(crate) fn close(&self, status: u16, secret: Option<LastFour>) {
        self.with(|record| {
            record.status = Some(status);
            record.secret = secret;
        });
    }

    fn with(&self, change: impl FnOnce(&mut Record)) {
        let mut ring = lock(&self.log.ring);
        let Some(index) = self.sequence.checked_sub(ring.first) else {
            return;
        };
        if let Some(record) = ring.records.get_mut(index as usize) {
            change(record);
        }
    }
}

impl Record {
    fn entry(&self, sequence: u64) -> LogEntry {
        let arrival = &self.arrival;
        LogEntry {
            sequence,
            time: Timestamp::try_from(arrival.time).unwrap_or_default(),
            method: arrival.method.to_string(),
            route: arrival.route.name(),
            path: arrival.path.to_string(),
            credential_last_four: arrival.credential.map(|last| last.as_str().to_owned()),
            status: self.status,
            request_id: request_id(arrival.request_id),
            safety_identifier: arrival.safety_identifier.as_deref().map(str::to_owned),
            secret_last_four: self.secret.map(|last| last.as_str().to_owned()),
            fault: self.fault,
        }
    }
}

/// The `x-request-id` of a number.
pub(crate) fn request_id(number: u128) -> String {
    format!("req_{number:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(number: u128) -> Arrival {
        Arrival {
            time: SystemTime::UNIX_EPOCH,
            method: Method::POST,
            route: Route::ClientSecrets,
            path: "/v1/realtime/client_secrets".into(),
            credential: None,
            request_id: number,
            safety_identifier: None,
        }
    }

    #[test]
    fn keeps_the_latest_and_counts_the_rest() {
        let log = Arc::new(RequestLog::new(2));
        let tickets: Vec<_> = (0..3).map(|number| log.open(arrival(number))).collect();
        for ticket in &tickets {
            ticket.close(200, None);
        }
        let kept: Vec<_> = log.latest(9).iter().map(|entry| entry.sequence).collect();
        assert_eq!(kept, [1, 2]);
        assert_eq!(log.dropped(), 1);
        assert!(log.latest(9).iter().all(|entry| entry.status == Some(200)));
    }

    #[test]
    fn a_ticket_outlives_a_clear() {
        let log = Arc::new(RequestLog::new(2));
        let old = log.open(arrival(0));
        log.clear();
        log.open(arrival(1));
        old.close(500, None);
        assert_eq!(log.latest(9)[0].status, None);
    }
}
