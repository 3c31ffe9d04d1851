//! What looks like an attack: small detectors that remember a little.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Timestamp, caller::Caller, code::Code, ids::Subject, request::RequestFacts};

/// Something that deserves a look.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumIter, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Anomaly {
    /// A grant was used from another network than it was issued to.
    GrantNetworks,
    /// One caller or address was refused many times in a short while.
    RefusalBurst,
    /// A pass was used a second time: two hold what one should.
    PassReused,
    /// A revoked caller keeps trying.
    RevokedPersists,
    /// A superseded grant was to be refreshed: two hold what one should.
    SupersededRefresh,
    /// One subject came from several networks in a short while.
    SubjectNetworks,
}

/// How long things are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How long one anomaly about the same is not told again.
const QUIET: Duration = Duration::from_secs(10 * 60);
/// Refusals in a window that make a burst.
const BURST: u32 = 20;
/// Tries of a revoked caller in a window that are persistence.
const PERSISTENCE: u32 = 5;
/// Networks of one subject in a window that are too many.
const NETWORKS: usize = 4;
/// Most things one detector remembers.
const CAPACITY: usize = 10_000;

/// Remembers a little of what happened, to see what repeats.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    refusals: Window<HashMap<String, u32>>,
    networks: Window<HashMap<Subject, Vec<IpAddr>>>,
    told: Window<HashSet<(Anomaly, String)>>,
}

/// Things of the present window; forgotten together when the next begins.
#[derive(Debug, Default)]
struct Window<T> {
    since: Option<Timestamp>,
    things: T,
}

impl<T: Default> Window<T> {
    fn at(&mut self, now: Timestamp, lasts: Duration) -> &mut T {
        let over = self
            .since
            .is_none_or(|since| now < since || now.duration_since(since).unsigned_abs() >= lasts);
        if over {
            self.since = Some(now);
            self.things = T::default();
        }
        &mut self.things
    }
}

impl Watch {
    /// Whether an anomaly about something was not told lately; it then is.
    pub fn is_news(&self, anomaly: Anomaly, about: &str, now: Timestamp) -> bool {
        let mut memory = self.lock();
        let told = memory.told.at(now, QUIET);
        told.len() < CAPACITY && told.insert((anomaly, about.to_owned()))
    }

    /// Notes a refusal; the anomaly it completes, and what it is about.
    pub fn refused(
        &self,
        code: Code,
        caller: Option<&Caller>,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Option<(Anomaly, String)> {
        let about = match (caller, address) {
            (Some(caller), _) => format!("subject {}", caller.subject),
            (None, Some(address)) => format!("address {address}"),
            (None, None) => return None,
        };
        let revoked = matches!(code, Code::AccessRevoked | Code::RevokedCredential);
        let (anomaly, most) = match revoked {
            true => (Anomaly::RevokedPersists, PERSISTENCE),
            false => (Anomaly::RefusalBurst, BURST),
        };
        let seen = self.count(format!("{anomaly} {about}"), now);
        (seen == most && self.is_news(anomaly, &about, now)).then_some((anomaly, about))
    }

    /// Notes where a subject came from; true when that are too many networks.
    pub fn seen_from(&self, caller: &Caller, address: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(address) = address else { return false };
        let mut memory = self.lock();
        let networks = memory.networks.at(now, WINDOW);
        let network = network(address);
        let Some(known) = networks.get_mut(&caller.subject) else {
            if networks.len() < CAPACITY {
                networks.insert(caller.subject.clone(), vec![network]);
            }
            return false;
        };
        if known.len() == NETWORKS || known.contains(&network) {
            return false;
        }
        known.push(network);
        known.len() == NETWORKS
    }

    fn count(&self, key: String, now: Timestamp) -> u32 {
        let mut memory = self.lock();
        let counts = memory.refusals.at(now, WINDOW);
        if counts.len() >= CAPACITY && !counts.contains_key(&key) {
            return 0;
        }
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
        *count
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The network an address is in: /24 of IPv4, /48 of IPv6.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            [a, b, c, 0].into()
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            [a, b, c, 0, 0, 0, 0, 0].into()
        }
    }
}

/// What the trail is told of an anomaly.
#[must_use]
pub fn facts(
    anomaly: Anomaly,
    about: &str,
    request: Option<&RequestFacts>,
) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("anomaly", anomaly.to_string()),
        ("about", about.to_owned()),
    ];
    if let Some(request) = request {
        facts.push(("request", request.id.to_string()));
        facts.extend(
            request
                .address
                .map(|address| ("address", address.to_string())),
        );
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        caller::Scheme,
        ids::{CredentialId, Subject},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn caller(subject: &str) -> Caller {
        Caller {
            subject: Subject::new(subject).unwrap(),
            scheme: Scheme::Jwt,
            credential: CredentialId::new("app").unwrap(),
            roles: Vec::new(),
            session_id: None,
            tenant: None,
            issued_at: None,
            expires_at: None,
        }
    }

    fn address(last: u8, third: u8) -> Option<IpAddr> {
        Some([192, 0, third, last].into())
    }

    #[test]
    fn a_burst_of_refusals_is_told_once() {
        let watch = Watch::default();
        let refuse = |second| watch.refused(Code::RateLimited, None, address(1, 2), at(second));
        let told: Vec<_> = (0..200).filter_map(|n| refuse(n / 10)).collect();
        assert_eq!(
            told,
            [(Anomaly::RefusalBurst, "address 192.0.2.1".to_owned())]
        );
    }

    #[test]
    fn slow_refusals_are_no_burst() {
        let watch = Watch::default();
        for second in 0..1000 {
            let told = watch.refused(Code::RateLimited, None, address(1, 2), at(second * 4));
            assert_eq!(told, None);
        }
    }

    #[test]
    fn a_revoked_caller_who_keeps_trying_is_told_apart() {
        let watch = Watch::default();
        let user = caller("user-1");
        let tries = || watch.refused(Code::AccessRevoked, Some(&user), address(1, 2), at(0));
        let told: Vec<_> = (0..50).filter_map(|_| tries()).collect();
        assert_eq!(
            told,
            [(Anomaly::RevokedPersists, "subject user-1".to_owned())]
        );
    }

    #[test]
    fn four_networks_in_a_minute_are_too_many() {
        let watch = Watch::default();
        let user = caller("user-1");
        for host in 0..100 {
            assert!(
                !watch.seen_from(&user, address(host, 1), at(0)),
                "one network"
            );
        }
        let fired: Vec<u8> = (2..9)
            .filter(|third| watch.seen_from(&user, address(1, *third), at(1)))
            .collect();
        assert_eq!(fired, [4]);
    }

    #[test]
    fn memory_is_bounded() {
        let watch = Watch::default();
        for number in 0..3 * CAPACITY {
            let user = caller(&format!("user-{number}"));
            watch.refused(Code::RateLimited, Some(&user), None, at(0));
            watch.seen_from(&user, address(1, 2), at(0));
            watch.is_news(Anomaly::GrantNetworks, user.subject.as_str(), at(0));
        }
        let memory = watch.lock();
        assert!(memory.refusals.things.len() <= CAPACITY);
        assert!(memory.networks.things.len() <= CAPACITY);
        assert!(memory.told.things.len() <= CAPACITY);
    }
}
