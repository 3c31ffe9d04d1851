//! Failures injected on request.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ids::Ids, sync::lock};

/// A route of the simulator, as faults and the log name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    ClientSecrets,
    Calls,
    Hangup,
    Websocket,
    /// Not a request: the next response of any session fails.
    Response,
    /// Every request, in a fault only.
    All,
    #[serde(skip)]
    Retired,
    #[serde(skip)]
    Other,
}

impl Route {
    /// The name in faults and in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClientSecrets => "client_secrets",
            Self::Calls => "calls",
            Self::Hangup => "hangup",
            Self::Websocket => "websocket",
            Self::Response => "response",
            Self::All => "all",
            Self::Retired => "retired",
            Self::Other => "other",
        }
    }

    fn covers(self, route: Self) -> bool {
        self == route || (self == Self::All && route != Self::Response)
    }
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Status,
    Delay,
    Hang,
    Reset,
    Truncate,
    Malformed,
    Close,
}

impl Kind {
    /// The name in faults and in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Delay => "delay",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Truncate => "truncate",
            Self::Malformed => "malformed",
            Self::Close => "close",
        }
    }
}

/// A fault as a client of the control routes writes it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultSpec {
    route: Route,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(default)]
    delay_ms: u64,
    /// How often it strikes; without it, until deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(default = "always")]
    probability: f64,
}

fn always() -> f64 {
    1.0
}

/// One fault that strikes now.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) status: Option<u16>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) delay: Duration,
}

/// A fault with its counters, as `GET /_sim/faults` shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActiveFault {
    id: String,
    #[serde(flatten)]
    spec: FaultSpec,
    /// How often it struck.
    hits: u64,
    #[serde(skip)]
    fault: Fault,
}

/// The faults in force. Without any, a request pays one atomic load.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    count: AtomicUsize,
    active: Mutex<Vec<ActiveFault>>,
}

/// More faults than this are refused.
const CAPACITY: usize = 1000;

impl Faults {
    /// Puts a fault in force; the message says why one cannot be.
    pub(crate) fn add(&self, spec: FaultSpec, id: String) -> Result<ActiveFault, String> {
        let fault = spec.check()?;
        let added = ActiveFault {
            id,
            spec,
            hits: 0,
            fault,
        };
        let mut active = lock(&self.active);
        if active.len() == CAPACITY {
            return Err(format!(
                "there are {CAPACITY} faults; DELETE /_sim/faults first"
            ));
        }
        active.push(added.clone());
        self.count.store(active.len(), Ordering::Release);
        Ok(added)
    }

    /// All faults, those used up included.
    pub(crate) fn list(&self) -> Vec<ActiveFault> {
        lock(&self.active).clone()
    }

    /// Ends all faults.
    pub(crate) fn clear(&self) {
        lock(&self.active).clear();
        self.count.store(0, Ordering::Release);
    }

    /// The first fault that strikes this request, counted.
    pub(crate) fn strike(&self, route: Route, ids: &Ids) -> Option<Fault> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut active = lock(&self.active);
        let struck = active.iter_mut().find(|fault| fault.strikes(route, ids))?;
        struck.hits += 1;
        Some(struck.fault.clone())
    }
}

impl ActiveFault {
    fn strikes(&self, route: Route, ids: &Ids) -> bool {
        let spent = self.spec.times.is_some_and(|times| self.hits >= times);
        let meant = self.spec.route.covers(route) && !spent;
        meant && (self.spec.probability >= 1.0 || ids.draw() < self.spec.probability)
    }
}

impl FaultSpec {
    /// Refuses what could not be carried out, and prepares the rest.
    fn check(&self) -> Result<Fault, String> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err("probability must be a number from 0 to 1".to_owned());
        }
        if self.route == Route::Response && self.kind != Kind::Status {
            return Err("a fault of route response has the kind status".to_owned());
        }
        self.check_status()?;
        Ok(Fault {
            kind: self.kind,
            status: self.status,
            headers: self.headers()?,
            body: self.body.as_ref().map(body_bytes),
            delay: Duration::from_millis(self.delay_ms),
        })
    }

    fn check_status(&self) -> Result<(), String> {
        match (self.kind, self.status) {
            (Kind::Status, None) => Err("kind status needs a status".to_owned()),
            (Kind::Close, Some(code)) if !is_close_code(code) => Err(
                "the status of kind close is a WebSocket close code that may be sent".to_owned(),
            ),
            (Kind::Close, _) | (_, None) => Ok(()),
            (_, Some(status)) if (200..=599).contains(&status) => Ok(()),
            _ => Err("status must be from 200 to 599".to_owned()),
        }
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let pairs = self.headers.iter().map(|(name, value)| {
            let parsed = HeaderName::try_from(name)
                .ok()
                .zip(HeaderValue::try_from(value).ok());
            parsed.ok_or_else(|| format!("header {name:?} has a name or value HTTP does not allow"))
        });
        pairs.collect()
    }
}

impl Fault {
    /// The status to answer, 500 where a fault names none.
    pub(crate) fn http_status(&self) -> StatusCode {
        let status = self.status.and_then(|it| StatusCode::from_u16(it).ok());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether on the WebSocket route it strikes after the upgrade.
    pub(crate) fn acts_on_socket(&self) -> bool {
        match self.kind {
            Kind::Truncate | Kind::Malformed => true,
            Kind::Close => self.status.is_some(),
            _ => false,
        }
    }
}

fn body_bytes(body: &Value) -> Bytes {
    match body {
        Value::String(text) => Bytes::copy_from_slice(text.as_bytes()),
        other => Bytes::from(other.to_string()),
    }
}

/// Whether a close frame may carry this code.
pub(crate) fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn add(faults: &Faults, spec: Value) -> Result<ActiveFault, String> {
        let spec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
        faults.add(spec, "fault_1".to_owned())
    }

    #[test]
    fn strikes_as_often_as_told() {
        let (faults, ids) = (Faults::default(), Ids::new(Some(1)));
        add(&faults, json!({"route": "all", "kind": "hang", "times": 2})).unwrap();
        let struck = (0..5)
            .filter(|_| faults.strike(Route::Calls, &ids).is_some())
            .count();
        assert_eq!(struck, 2);
        assert_eq!(faults.list()[0].hits, 2);
    }

    #[test]
    fn strikes_only_its_route() {
        let (faults, ids) = (Faults::default(), Ids::new(Some(1)));
        add(&faults, json!({"route": "hangup", "kind": "hang"})).unwrap();
        assert!(faults.strike(Route::Calls, &ids).is_none());
        assert!(faults.strike(Route::Hangup, &ids).is_some());
        faults.clear();
        assert!(faults.strike(Route::Hangup, &ids).is_none());
    }

    #[test]
    fn strikes_with_its_probability() {
        let (faults, ids) = (Faults::default(), Ids::new(Some(1)));
        add(
            &faults,
            json!({"route": "all", "kind": "hang", "probability": 0.25}),
        )
        .unwrap();
        let struck = (0..1000)
            .filter(|_| faults.strike(Route::Calls, &ids).is_some())
            .count();
        assert!((200..300).contains(&struck), "struck {struck}");
    }

    #[test]
    fn refuses_what_cannot_be_done() {
        let faults = Faults::default();
        for spec in [
            json!({"route": "all", "kind": "status"}),
            json!({"route": "all", "kind": "status", "status": 101}),
            json!({"route": "all", "kind": "status", "status": 700}),
            json!({"route": "websocket", "kind": "close", "status": 1005}),
            json!({"route": "all", "kind": "hang", "probability": 2}),
            json!({"route": "all", "kind": "status", "status": 500, "headers": {"a b": "c"}}),
            json!({"route": "response", "kind": "reset"}),
            json!({"route": "all", "kind": "hang", "bogus": 1}),
            json!({"route": "retired", "kind": "hang"}),
        ] {
            assert!(add(&faults, spec.clone()).is_err(), "{spec}");
        }
    }
}
