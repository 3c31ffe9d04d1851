//! Refuses an address that asks too much, before anything is verified.
//!
//! Three limits: requests of an address, whatever they carry; wrong API keys by
//! address and by key id; wrong tokens and sessions by address. All hold before
//! authentication, so neither a flood nor a guesser makes the server hash,
//! verify or look anything up.

mod bounded;
mod failures;
mod guesses;
mod known;
mod refused;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    caller::Presented,
    code::Code,
    pipeline::{Authenticated, Broker},
    quota::Rate,
    refusal::Refusal,
    request::RequestFacts,
};

use crate::app::App;
use bounded::Bounded;
use failures::{Attempt, Failures};
use guesses::{Guess, Guesses};
use refused::RefusedAddresses;

/// Routes that orchestrators ask, which must hear the truth at any rate.
const PROBES: [&str; 4] = ["/livez", "/readyz", "/health", "/metrics"];

/// How often what was refused is summed up in the trail.
pub const SUMMARY_EVERY: Duration = Duration::from_secs(60);

/// Tells microseconds of a clock that never goes back.
type Monotonic = Box<dyn Fn() -> u64 + Send + Sync>;

/// How much an address may ask.
#[derive(Debug, Clone, Copy)]
pub struct FrontLimits {
    /// Requests a minute from one address.
    pub per_address_per_minute: u32,
    /// Whether this machine's own addresses are spared: a proxy or a backend
    /// beside the server speaks for many.
    pub spare_loopback: bool,
    /// Wrong API keys a minute from one address, and for one key id.
    pub bad_keys_per_minute: u32,
    /// Wrong tokens and session cookies a minute from one address.
    pub bad_credentials_per_minute: u32,
    /// Whether this machine's own addresses are spared of that.
    pub spare_loopback_credentials: bool,
}

/// What is tried, and by which limit it is held.
enum Tried {
    Key(Guess),
    Credential(Attempt),
    /// Nothing, or something from an address that is spared.
    Free,
}

/// What an address is counted as: itself, of IPv6 its network of 64 bits, which
/// is what one subscriber has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AddressBlock(u128);

impl AddressBlock {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() & !u128::from(u64::MAX)),
        }
    }

    /// The block as an address, for people.
    pub(crate) fn shown(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from_bits(self.0)).to_canonical()
    }
}

/// Counts what addresses ask.
pub struct FrontGuard {
    limits: FrontLimits,
    now: Monotonic,
    requests: Bounded<AddressBlock>,
    guesses: Guesses,
    failures: Failures,
    refused: RefusedAddresses,
}

impl FrontGuard {
    /// A guard that has seen nobody yet.
    #[must_use]
    pub fn new(limits: FrontLimits) -> Self {
        let start = Instant::now();
        Self::with_clock(limits, move || {
            u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
        })
    }

    /// Counts by a clock of the caller's; it gives microseconds and never goes back.
    #[must_use]
    pub fn with_clock(limits: FrontLimits, now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            limits,
            now: Box::new(now),
            requests: Bounded::new(Rate::per_minute(limits.per_address_per_minute)),
            guesses: Guesses::new(Rate::per_minute(limits.bad_keys_per_minute)),
            failures: Failures::new(
                Rate::per_minute(limits.bad_credentials_per_minute),
                Vec::new(),
            ),
            refused: RefusedAddresses::default(),
        }
    }

    /// Names the session cookies, so that a good session is known again.
    #[must_use]
    pub fn with_session_cookies(mut self, names: Vec<String>) -> Self {
        let rate = Rate::per_minute(self.limits.bad_credentials_per_minute);
        self.failures = Failures::new(rate, names);
        self
    }

    /// Lets a request in, or says how long its address has to wait.
    ///
    /// # Errors
    ///
    /// The time to wait.
    pub fn admit(&self, address: IpAddr) -> Result<(), Duration> {
        if self.limits.spare_loopback && address.to_canonical().is_loopback() {
            return Ok(());
        }
        self.requests.take(&AddressBlock::of(address), (self.now)())
    }

    /// Sums up in the trail what was refused since the last time.
    ///
    /// A flood must not fill the disk, so a refusal before authentication has
    /// no record of its own but the first of its address: the others are
    /// counted, and each address gets one record a minute with the count.
    pub async fn record_refused(&self, broker: &Broker) {
        for (address, count) in self.refused.drain() {
            let outcome = Outcome::Refused {
                code: Code::RateLimited,
                reason: Some("front_guard".to_owned()),
            };
            let mut event = AuditEvent::outcome(broker.clock().now(), Action::Anomaly, outcome);
            let shown = address.map_or_else(|| "others".to_owned(), |a| a.shown().to_string());
            event.facts = vec![("address", shown), ("requests_refused", count.to_string())];
            // Where the trail can't be written the server says so elsewhere.
            let _ = broker.audit().append(event).await;
        }
    }
}

/// Refuses a request whose address asks too much.
pub(crate) async fn admit(app: &App, facts: &Arc<RequestFacts>) -> Result<(), Refusal> {
    let Some(address) = facts.address.filter(|_| !PROBES.contains(&facts.route)) else {
        return Ok(());
    };
    let Err(wait) = app.guard().admit(address) else {
        return Ok(());
    };
    let text = "Too many requests come from this address. Wait as Retry-After says.";
    let guard = app.guard();
    Err(guard.refuse(app.broker(), facts, text, wait).await)
}

impl FrontGuard {
    /// Finds out who sends a request, unless their address is guessing.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded at least as a count.
    pub async fn authenticate<'b>(
        &self,
        broker: &'b Broker,
        facts: &Arc<RequestFacts>,
        presented: &Presented<'_>,
    ) -> Result<Authenticated<'b>, Refusal> {
        let tried = self.tried(facts, presented);
        let now = (self.now)();
        if let Err((text, wait)) = self.admit_try(&tried, now) {
            return Err(self.refuse(broker, facts, text, wait).await);
        }
        let known = broker.authenticate(facts.clone(), presented).await;
        self.note(&tried, known.as_ref().err(), now);
        known
    }

    fn tried(&self, facts: &RequestFacts, presented: &Presented<'_>) -> Tried {
        let address = facts.address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        if let Some(key) = guesses::key_of(presented) {
            return Tried::Key(self.guesses.guess(&key, address));
        }
        if self.limits.spare_loopback_credentials && address.to_canonical().is_loopback() {
            return Tried::Free;
        }
        let attempt = self.failures.attempt(presented, address);
        attempt.map_or(Tried::Free, Tried::Credential)
    }

    fn admit_try(&self, tried: &Tried, now: u64) -> Result<(), (&'static str, Duration)> {
        match tried {
            Tried::Key(guess) => self.guesses.admit(guess, now).map_err(|wait| {
                let text = "Too many wrong API keys came from this address or for this key. Wait as Retry-After says.";
                (text, wait)
            }),
            Tried::Credential(attempt) => self.failures.admit(attempt, now).map_err(|wait| {
                let text = "Too many wrong credentials came from this address. Wait as Retry-After says.";
                (text, wait)
            }),
            Tried::Free => Ok(()),
        }
    }

    /// A credential whose time is over or that was revoked was good once: who
    /// sends it is not guessing.
    fn note(&self, tried: &Tried, refusal: Option<&Refusal>, now: u64) {
        let code = refusal.map(|refusal| refusal.code);
        match (tried, code) {
            (Tried::Key(guess), None) => self.guesses.note_good(guess, now),
            (Tried::Key(guess), Some(Code::InvalidCredential)) => self.guesses.note_bad(guess, now),
            (Tried::Credential(attempt), None) => self.failures.note_good(attempt, now),
            (
                Tried::Credential(attempt),
                Some(Code::InvalidCredential | Code::MalformedCredential),
            ) => self.failures.note_bad(attempt, now),
            _ => {}
        }
    }

    /// The refusal; the first of an address within a minute has a record.
    async fn refuse(
        &self,
        broker: &Broker,
        facts: &Arc<RequestFacts>,
        text: &'static str,
        wait: Duration,
    ) -> Refusal {
        let refusal = Refusal::new(Code::RateLimited, text).retry_after(wait);
        let block = facts.address.map(AddressBlock::of);
        if !self.refused.count(block) {
            return refusal;
        }
        let refusal = refusal.internal("front_guard");
        let action = Action::Authenticate;
        broker.refuse(facts.clone(), action, refusal).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn guard(spare_loopback: bool) -> (FrontGuard, Arc<AtomicU64>) {
        let time = Arc::new(AtomicU64::new(0));
        let hand = time.clone();
        let limits = FrontLimits {
            per_address_per_minute: 3,
            spare_loopback,
            bad_keys_per_minute: 10,
            bad_credentials_per_minute: 60,
            spare_loopback_credentials: spare_loopback,
        };
        let guard = FrontGuard::with_clock(limits, move || hand.load(Ordering::Relaxed));
        (guard, time)
    }

    fn admitted(guard: &FrontGuard, addresses: &[&str]) -> usize {
        let one = |address: &&&str| guard.admit(address.parse().unwrap()).is_ok();
        addresses.iter().filter(one).count()
    }

    #[test]
    fn an_address_has_its_own_limit_and_waits_as_told() {
        let (guard, time) = guard(true);
        assert_eq!(admitted(&guard, &["192.0.2.1"; 5]), 3);
        assert_eq!(admitted(&guard, &["192.0.2.2"; 5]), 3);
        let wait = guard.admit("192.0.2.1".parse().unwrap()).unwrap_err();
        time.fetch_add(u64::try_from(wait.as_micros()).unwrap(), Ordering::Relaxed);
        assert_eq!(admitted(&guard, &["192.0.2.1"]), 1);
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let (guard, _) = guard(true);
        let same = [
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8::ffff:1",
            "2001:db8::3",
        ];
        assert_eq!(admitted(&guard, &same), 3);
        assert_eq!(admitted(&guard, &["2001:db8:0:1::1"]), 1);
        let mapped = [
            "::ffff:192.0.2.9",
            "192.0.2.9",
            "::ffff:192.0.2.9",
            "192.0.2.9",
        ];
        assert_eq!(admitted(&guard, &mapped), 3);
    }

    #[test]
    fn this_machine_is_spared_only_where_said() {
        assert_eq!(admitted(&guard(true).0, &["127.0.0.1"; 5]), 5);
        assert_eq!(admitted(&guard(true).0, &["::1"; 5]), 5);
        assert_eq!(admitted(&guard(false).0, &["127.0.0.1"; 5]), 3);
    }
}
