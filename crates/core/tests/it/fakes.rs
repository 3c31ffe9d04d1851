//! A fake of every port, and one journal of what reached them in which order.
//!
//! The HTTP crate's tests include this file too: both speak to the same fakes.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(unreachable_pub, reason = "included by two test binaries")]

use std::{
    collections::{BTreeMap, HashMap},
    future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    audit::{AuditEvent, Outcome, Phase, UpstreamFacts},
    caller::{AuthFailure, Authentication, Caller, Presented, Scheme},
    code::Code,
    concurrency::{Lease, Leases},
    grant::{Grant, GrantEvent, Mode},
    hash::{InstallKey, Purpose},
    ids::{
        CredentialId, GrantId, LineageId, ProfileName, RequestId, RevocationId, RoleName,
        SessionId, Subject,
    },
    interview::{
        Interview, InterviewFilter, InterviewStanding, Interviews, Registration, Reserved,
    },
    overrides::MemberPath,
    pass::{PassRecord, Passes, Spent},
    pipeline::{Broker, Parts, SessionParts},
    policy::Policy,
    ports::{
        AuditLog, AuditReceipt, AuditUnavailable, Authenticator, Clock, GrantFilter, Grants, Ids,
        MintFailure, MintOrder, MintedSecret, Minter, OwnedFuture, Quotas, Revocations, StoreError,
        TakeError, Withdrawn,
    },
    profile::{LiveRules, Profile, RefreshRules, SessionConfig},
    quota::{Charge, Exceeded, LimitState},
    refusal::Refusal,
    request::RequestFacts,
    revocation::{Hit, InForce, Lifted, Question, Revocation, Scope},
    role::{ProfileRule, Role, RoleLimits},
    secret::ClientSecret,
    usage::{
        Account, ActivityKey, Budget, Tally, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotals,
    },
};
use serde_json::{Value, json};

/// The time every test begins at: 2026-11-21T12:00:00Z.
pub const NOON: i64 = 1_795_262_400;

/// Where the fakes say a browser connects.
pub const CONNECT_URL: &str = "wss://upstream.example.test/v1/realtime?model=gpt-realtime-2.1";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What reached the fakes, in order.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, step: impl Into<String>) {
        lock(&self.0).push(step.into());
    }

    pub fn steps(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

/// Everything a broker needs, each part in the test's hand.
pub struct World {
    pub journal: Journal,
    pub audit: Arc<FakeAudit>,
    pub minter: Arc<FakeMinter>,
    pub grants: Arc<FakeGrants>,
    pub clock: Arc<FakeClock>,
    pub broker: Arc<Broker>,
}

impl World {
    /// A world whose limits are never reached.
    pub fn new() -> Self {
        Self::with_quotas(Arc::new(FakeQuotas::Open))
    }

    pub fn with_quotas(quotas: Arc<dyn Quotas>) -> Self {
        Self::assemble(quotas, Arc::new(FakeAuthenticator))
    }

    pub fn assemble(quotas: Arc<dyn Quotas>, authenticator: Arc<dyn Authenticator>) -> Self {
        Self::of(quotas, authenticator, policy())
    }

    /// A world of other rules.
    pub fn ruled(policy: Policy) -> Self {
        Self::of(
            Arc::new(FakeQuotas::Open),
            Arc::new(FakeAuthenticator),
            policy,
        )
    }

    fn of(quotas: Arc<dyn Quotas>, authenticator: Arc<dyn Authenticator>, policy: Policy) -> Self {
        let journal = Journal::default();
        let clock = Arc::new(FakeClock::default());
        let audit = Arc::new(FakeAudit::new(journal.clone()));
        let minter = Arc::new(FakeMinter::new(journal.clone(), clock.clone()));
        let grants = Arc::new(FakeGrants::new(journal.clone()));
        let key = InstallKey::new([7; 32]);
        let broker = Arc::new(Broker::new(Parts {
            authenticator,
            policy: Arc::new(policy),
            audit: audit.clone(),
            quotas,
            grants: grants.clone(),
            revocations: Arc::new(FakeRevocations::default()),
            leases: Arc::new(FakeLeases),
            interviews: Arc::new(FakeInterviews::default()),
            minter: minter.clone(),
            sessions: SessionParts {
                live: Arc::default(),
                peers: Arc::new(hallpass_core::live::NoPeers),
                passes: Arc::new(FakePasses::default()),
                leases: Arc::new(FakeLeases),
                usage: Arc::new(FakeUsage::default()),
                pass_hasher: key.hasher(Purpose::Pass),
                base_url: "https://voice.example.com".to_owned(),
            },
            clock: clock.clone(),
            ids: Arc::new(CountingIds::default()),
            value_hasher: key.hasher(Purpose::Audit),
            safety_hasher: key.hasher(Purpose::SafetyIdentifier),
            mint_deadline: Duration::from_secs(5),
        }));
        Self {
            journal,
            audit,
            minter,
            grants,
            clock,
            broker,
        }
    }
}

/// A clock that moves when it is told to.
#[derive(Default)]
pub struct FakeClock(AtomicU64);

impl FakeClock {
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Microseconds since the test began.
    pub fn micros(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let since = Duration::from_micros(self.micros());
        Timestamp::from_second(NOON).unwrap() + since
    }
}

/// Ids that count from 1.
#[derive(Default)]
pub struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn fill(&self, buffer: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        buffer.fill(0);
        for (byte, digit) in buffer.iter_mut().rev().zip(next.to_le_bytes()) {
            *byte = digit;
        }
    }
}

/// A trail in memory, which can lose records as a broken disk does.
pub struct FakeAudit {
    journal: Journal,
    kept: Arc<Mutex<Vec<AuditEvent>>>,
    lost: Mutex<Option<Phase>>,
    late: Mutex<Option<Phase>>,
}

impl FakeAudit {
    fn new(journal: Journal) -> Self {
        Self {
            journal,
            kept: Arc::default(),
            lost: Mutex::new(None),
            late: Mutex::new(None),
        }
    }

    /// Loses records of this phase from now on.
    pub fn lose(&self, phase: Phase) {
        *lock(&self.lost) = Some(phase);
    }

    /// Keeps records of a phase, but not before their callers stopped waiting.
    pub fn delay(&self, phase: Phase) {
        *lock(&self.late) = Some(phase);
    }

    /// The records that were kept.
    pub fn events(&self) -> Vec<AuditEvent> {
        lock(&self.kept).clone()
    }

    /// The kept records that are no announcement.
    pub fn finals(&self) -> Vec<AuditEvent> {
        let mut events = self.events();
        events.retain(|event| event.phase == Phase::Outcome);
        events
    }
}

impl AuditLog for FakeAudit {
    fn append(&self, event: AuditEvent) -> OwnedFuture<Result<AuditReceipt, AuditUnavailable>> {
        let label = format!("{} {}", event.phase, word(&event.outcome));
        self.journal.note(format!("queue {label}"));
        let lost = *lock(&self.lost) == Some(event.phase);
        let late = *lock(&self.late) == Some(event.phase);
        let mut kept = lock(&self.kept);
        let sequence = kept.len() as u64;
        if !lost {
            kept.push(event);
        }
        let journal = self.journal.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            if lost {
                return Err(AuditUnavailable::Refused("the disk is full".to_owned()));
            }
            if late {
                return Err(AuditUnavailable::Late);
            }
            journal.note(format!("durable {label}"));
            Ok(AuditReceipt { sequence })
        })
    }

    fn writable(&self) -> bool {
        lock(&self.lost).is_none()
    }
}

/// An outcome in a word, or in its code.
pub fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "pending",
        Outcome::Success => "success",
        Outcome::Refused { code, .. } | Outcome::Failed { code, .. } => code.as_str(),
        Outcome::Abandoned => "abandoned",
    }
}

/// What the fake OpenAI does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    GivesSecrets,
    Refuses(Code),
    NeverAnswers,
    Panics,
}

/// An OpenAI that gives `ek_` secrets which count from 1.
pub struct FakeMinter {
    journal: Journal,
    clock: Arc<FakeClock>,
    plan: Mutex<Upstream>,
    orders: Mutex<Vec<MintOrder>>,
}

impl FakeMinter {
    fn new(journal: Journal, clock: Arc<FakeClock>) -> Self {
        Self {
            journal,
            clock,
            plan: Mutex::new(Upstream::GivesSecrets),
            orders: Mutex::default(),
        }
    }

    pub fn plan(&self, plan: Upstream) {
        *lock(&self.plan) = plan;
    }

    /// What was asked for.
    pub fn orders(&self) -> Vec<MintOrder> {
        lock(&self.orders).clone()
    }

    fn secret(&self, order: &MintOrder, number: usize) -> MintedSecret {
        let life = Duration::from_secs(order.expires_after_seconds.into());
        MintedSecret {
            secret: ClientSecret::new(format!("ek_{number:032x}")),
            expires_at: self.clock.now() + life,
            session: serde_json::from_str(order.session.as_json()).unwrap(),
            connect_url: CONNECT_URL.to_owned(),
            upstream: UpstreamFacts {
                name: Some("fake".into()),
                request_id: Some(format!("req_upstream_{number}")),
                status: Some(200),
                orphan_possible: false,
            },
        }
    }
}

#[async_trait]
impl Minter for FakeMinter {
    async fn mint(&self, order: MintOrder) -> Result<MintedSecret, Box<MintFailure>> {
        self.journal.note("mint");
        order.journal.note_sent();
        let plan = *lock(&self.plan);
        let number = {
            let mut orders = lock(&self.orders);
            orders.push(order.clone());
            orders.len()
        };
        tokio::task::yield_now().await;
        match plan {
            Upstream::GivesSecrets => Ok(self.secret(&order, number)),
            Upstream::Refuses(code) => Err(Box::new(MintFailure {
                refusal: Refusal::new(code, "The fake upstream refuses.").internal("as planned"),
                upstream: UpstreamFacts::default(),
            })),
            Upstream::NeverAnswers => future::pending().await,
            Upstream::Panics => panic!("the fake upstream has a defect"),
        }
    }
}

/// A registry in memory, which can be away.
pub struct FakeGrants {
    journal: Journal,
    away: AtomicBool,
    kept: Mutex<Vec<Grant>>,
}

impl FakeGrants {
    fn new(journal: Journal) -> Self {
        Self {
            journal,
            away: AtomicBool::new(false),
            kept: Mutex::default(),
        }
    }

    pub fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    async fn reached(&self) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        match self.away.load(Ordering::SeqCst) {
            true => Err(StoreError("the registry's file is locked".to_owned())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Grants for FakeGrants {
    async fn record(&self, grant: Arc<Grant>) -> Result<(), StoreError> {
        self.journal.note("record");
        self.reached().await?;
        lock(&self.kept).push(Arc::unwrap_or_clone(grant));
        Ok(())
    }

    async fn find(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        self.reached().await?;
        Ok(lock(&self.kept)
            .iter()
            .find(|grant| grant.id == *id)
            .cloned())
    }

    async fn list(&self, filter: &GrantFilter) -> Result<Vec<Grant>, StoreError> {
        self.reached().await?;
        let kept = lock(&self.kept);
        let newest_first = kept.iter().rev();
        let wanted = newest_first.filter(|grant| {
            let place = (grant.created_at, &grant.id);
            filter.subject.as_ref().is_none_or(|s| *s == grant.subject)
                && filter.profile.as_ref().is_none_or(|p| *p == grant.profile)
                && (filter.session_id.is_none() || filter.session_id == grant.session_id)
                && filter
                    .before
                    .as_ref()
                    .is_none_or(|(time, id)| place < (*time, id))
        });
        Ok(wanted.take(filter.limit).cloned().collect())
    }

    async fn apply(&self, id: &GrantId, event: GrantEvent) -> Result<Option<Grant>, StoreError> {
        self.reached().await?;
        let mut kept = lock(&self.kept);
        let found = kept.iter_mut().find(|grant| grant.id == *id);
        Ok(found.map(|grant| {
            grant.state = grant.state.after(event);
            grant.clone()
        }))
    }

    async fn supersede(&self, id: &GrantId, successor: &GrantId) -> Result<bool, StoreError> {
        self.reached().await?;
        let mut kept = lock(&self.kept);
        let found = kept.iter_mut().find(|grant| grant.id == *id);
        Ok(found.is_some_and(|grant| {
            let first = grant.superseded_by.is_none();
            grant.superseded_by.get_or_insert_with(|| successor.clone());
            first
        }))
    }

    async fn withdraw(&self, scope: &Scope, now: Timestamp) -> Result<Withdrawn, StoreError> {
        self.reached().await?;
        let mut withdrawn = Withdrawn::default();
        let mut kept = lock(&self.kept);
        for grant in kept.iter_mut().filter(|grant| scope.covers(grant)) {
            let after = grant.state_at(now).after(GrantEvent::Revoke);
            withdrawn.revoked += u64::from(after != grant.state);
            grant.state = after;
            if grant.mode == Mode::Direct && grant.expires_at > now {
                withdrawn.unexpired += 1;
                let until = withdrawn.unexpired_until.max(Some(grant.expires_at));
                withdrawn.unexpired_until = until;
            }
        }
        Ok(withdrawn)
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut kept = lock(&self.kept);
        let due = kept
            .iter_mut()
            .filter(|grant| grant.state_at(now) != grant.state);
        Ok(due
            .take(limit)
            .map(|grant| grant.state = grant.state_at(now))
            .count())
    }

    async fn prune(&self, before: Timestamp, _limit: usize) -> Result<usize, StoreError> {
        let mut kept = lock(&self.kept);
        let all = kept.len();
        kept.retain(|grant| grant.created_at >= before || !grant.state.is_final());
        Ok(all - kept.len())
    }
}

/// Revocations in memory.
#[derive(Default)]
pub struct FakeRevocations {
    in_force: Mutex<InForce>,
    history: Mutex<Vec<Revocation>>,
    epoch: AtomicU64,
}

#[async_trait]
impl Revocations for FakeRevocations {
    fn check(&self, question: &Question<'_>) -> Option<Hit> {
        lock(&self.in_force).check(question)
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    async fn add(&self, revocation: &Revocation) -> Result<Revocation, StoreError> {
        let mut in_force = lock(&self.in_force);
        let mut history = lock(&self.history);
        if let Some(id) = in_force.of(&revocation.scope) {
            let known = history.iter().find(|known| known.id == *id);
            return Ok(known.unwrap().clone());
        }
        in_force.insert(revocation.id.clone(), &revocation.scope);
        history.push(revocation.clone());
        self.epoch.fetch_add(1, Ordering::SeqCst);
        Ok(revocation.clone())
    }

    async fn lift(
        &self,
        id: &RevocationId,
        end: &Lifted,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut history = lock(&self.history);
        let found = history.iter_mut().find(|known| known.id == *id);
        Ok(found.map(|known| {
            lock(&self.in_force).remove(&known.scope);
            known.lifted.get_or_insert_with(|| end.clone());
            self.epoch.fetch_add(1, Ordering::SeqCst);
            known.clone()
        }))
    }

    async fn list(&self, lifted_too: bool, limit: usize) -> Result<Vec<Revocation>, StoreError> {
        let history = lock(&self.history);
        let asked = history.iter().rev();
        let asked = asked.filter(|known| lifted_too || known.lifted.is_none());
        Ok(asked.take(limit).cloned().collect())
    }

    async fn prune(&self, _before: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }
}

/// Limits that are never, or always, reached, or can't be told.
pub enum FakeQuotas {
    Open,
    Reached,
    Away,
}

#[async_trait]
impl Quotas for FakeQuotas {
    async fn take(&self, charges: &[Charge]) -> Result<Vec<LimitState>, TakeError> {
        tokio::task::yield_now().await;
        let state = |charge: &Charge| LimitState {
            name: charge.name,
            rate: charge.rate,
            remaining: 0,
            reset: Duration::from_secs(60),
        };
        match self {
            Self::Open => Ok(charges.iter().map(state).collect()),
            Self::Reached => Err(TakeError::Exceeded(Exceeded {
                state: state(&charges[0]),
                wait: Duration::from_secs(12),
            })),
            Self::Away => Err(StoreError("no route to the store".to_owned()).into()),
        }
    }
}

/// Takes callers at their word.
///
/// `Bearer <subject> <role> [<session id>]` is a caller, in the cookie
/// `session` too; `Bearer <code>` fails with that code; anything else is not
/// valid.
pub struct FakeAuthenticator;

#[async_trait]
impl Authenticator for FakeAuthenticator {
    async fn authenticate(&self, presented: &Presented<'_>) -> Authentication {
        if let Some(header) = &presented.authorization {
            let text = String::from_utf8_lossy(header);
            let word = text
                .strip_prefix("Bearer ")
                .unwrap_or("malformed_credential");
            return judge(word, Scheme::Jwt);
        }
        let cookie = presented
            .cookies
            .iter()
            .find(|(name, _)| *name == "session");
        cookie.map_or(Authentication::NotRequested, |(_, value)| {
            judge(&value.replace('-', " "), Scheme::SessionCookie)
        })
    }
}

fn judge(text: &str, scheme: Scheme) -> Authentication {
    let mut words = text.split(' ');
    let (subject, role) = (words.next().unwrap_or_default(), words.next());
    if let (Ok(subject), Some(Ok(role))) = (Subject::new(subject), role.map(RoleName::new)) {
        let session_id = words.next().and_then(|id| SessionId::new(id).ok());
        let caller = caller(subject, role, scheme, session_id);
        return Authentication::Authenticated(caller.into());
    }
    Authentication::Failed(AuthFailure {
        code: subject.parse().unwrap_or(Code::InvalidCredential),
        reason: "fake_reason",
        detail: "the fake authenticator refuses".to_owned(),
        scheme,
        credential: None,
    })
}

fn caller(subject: Subject, role: RoleName, scheme: Scheme, bound: Option<SessionId>) -> Caller {
    Caller {
        subject,
        scheme,
        credential: CredentialId::new("fake").unwrap(),
        roles: vec![role],
        session_id: bound,
        tenant: None,
        issued_at: None,
        expires_at: None,
    }
}

/// The facts of a request to the broker's first route.
pub fn request() -> Arc<RequestFacts> {
    Arc::new(RequestFacts {
        id: RequestId::new("req_test").unwrap(),
        method: "POST",
        route: "/api/generate-client-secret",
        address: None,
        user_agent: None,
        origin: None,
    })
}

/// A credential the fake authenticator takes.
pub fn bearer(text: &str) -> Presented<'static> {
    Presented {
        authorization: Some(format!("Bearer {text}").into_bytes().into()),
        ..Presented::default()
    }
}

/// The rules of all tests.
///
/// | role | may |
/// |---|---|
/// | candidate | mint `interview`, `dictation`, `bound`; read own; 5 a minute |
/// | service | everything with grants |
/// | operator | everything |
/// | reader | read own grants |
/// | locked | nothing |
pub fn policy() -> Policy {
    let profiles = [
        profile("interview", realtime()),
        profile("dictation", transcription()),
        Profile {
            require_session_id: true,
            ..profile("bound", realtime())
        },
        Profile {
            modes: vec![Mode::Direct, Mode::Relay],
            ..profile("relayed", realtime())
        },
    ];
    let candidate = Role {
        limits: RoleLimits {
            per_minute: Some(5),
            ..RoleLimits::default()
        },
        ..role(
            "candidate",
            &["grants:create", "grants:read:own"],
            named(&["interview", "dictation", "bound"]),
        )
    };
    let roles = [
        candidate,
        role("service", &["grants:*"], ProfileRule::All),
        role("operator", &["*"], ProfileRule::All),
        role("reader", &["grants:read:own"], named(&["interview"])),
        role("locked", &[], ProfileRule::All),
    ];
    Policy {
        profiles: by_name(profiles, |profile| profile.name.clone()),
        roles: by_name(roles, |role| role.name.clone()),
        default_role: None,
        global_per_minute: None,
        served_modes: vec![Mode::Direct],
    }
}

fn by_name<N: Ord, T>(
    things: impl IntoIterator<Item = T>,
    name: fn(&T) -> N,
) -> BTreeMap<N, Arc<T>> {
    let named = things
        .into_iter()
        .map(|thing| (name(&thing), Arc::new(thing)));
    named.collect()
}

fn named(names: &[&str]) -> ProfileRule {
    let names = names.iter().map(|name| ProfileName::new(*name).unwrap());
    ProfileRule::Named(names.collect())
}

/// A role of these permissions, without limits.
pub fn role(name: &str, permissions: &[&str], profiles: ProfileRule) -> Role {
    Role {
        name: RoleName::new(name).unwrap(),
        permissions: permissions
            .iter()
            .map(|rule| rule.parse().unwrap())
            .collect(),
        profiles,
        modes: None,
        kinds: None,
        max_expires_after_seconds: None,
        max_session_seconds: None,
        limits: RoleLimits::default(),
        budget: Budget::default(),
    }
}

/// A profile of this session, 60 seconds by default and 600 at most.
pub fn profile(name: &str, session: Value) -> Profile {
    let Value::Object(session) = session else {
        panic!("a session is an object")
    };
    Profile {
        name: ProfileName::new(name).unwrap(),
        mode: Mode::Direct,
        modes: vec![Mode::Direct],
        expires_after_seconds: 60,
        max_expires_after_seconds: 600,
        require_session_id: false,
        overrides: vec![MemberPath::parse("audio.output.voice")],
        echo: Vec::new(),
        session: SessionConfig::new(session).unwrap(),
        per_minute: None,
        refresh: RefreshRules::default(),
        live: LiveRules::default(),
    }
}

pub fn realtime() -> Value {
    json!({
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "Ask one question at a time.",
        "audio": {"output": {"voice": "marin"}},
    })
}

pub fn transcription() -> Value {
    json!({
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "gpt-live-transcribe"}}},
    })
}

/// Leases without end for everyone.
pub struct FakeLeases;

#[async_trait]
impl Leases for FakeLeases {
    async fn take(
        &self,
        _: &Lease,
        _: u32,
        _: Timestamp,
    ) -> Result<Result<(), Timestamp>, StoreError> {
        Ok(Ok(()))
    }

    fn settle(&self, _: &Lease) {}

    fn release(&self, _: &Subject, _: &LineageId) {}
}

/// Interviews in memory.
#[derive(Default)]
pub struct FakeInterviews(Mutex<BTreeMap<SessionId, InterviewStanding>>);

#[async_trait]
impl Interviews for FakeInterviews {
    async fn register(&self, interview: &Interview) -> Result<Registration, StoreError> {
        let mut all = lock(&self.0);
        let fresh = InterviewStanding {
            interview: interview.clone(),
            issued: 0,
        };
        match all.get(&interview.session_id) {
            Some(known) if known.interview.is_same_as(interview) => {
                Ok(Registration::Known(known.clone()))
            }
            Some(_) => Ok(Registration::Taken),
            None => {
                all.insert(interview.session_id.clone(), fresh);
                Ok(Registration::New)
            }
        }
    }

    async fn find(&self, id: &SessionId) -> Result<Option<InterviewStanding>, StoreError> {
        Ok(lock(&self.0).get(id).cloned())
    }

    async fn list(&self, filter: &InterviewFilter) -> Result<Vec<InterviewStanding>, StoreError> {
        let all = lock(&self.0).clone();
        Ok(all.into_values().take(filter.limit).collect())
    }

    async fn end(
        &self,
        id: &SessionId,
        at: Timestamp,
    ) -> Result<Option<InterviewStanding>, StoreError> {
        let mut all = lock(&self.0);
        Ok(all.get_mut(id).map(|known| {
            known.interview.ended_at.get_or_insert(at);
            known.clone()
        }))
    }

    async fn reserve(&self, id: &SessionId, now: Timestamp) -> Result<Reserved, StoreError> {
        let mut all = lock(&self.0);
        let Some(known) = all
            .get_mut(id)
            .filter(|known| !known.interview.is_over(now))
        else {
            return Ok(Reserved::Over);
        };
        if known
            .interview
            .max_grants
            .is_some_and(|most| known.issued >= most)
        {
            return Ok(Reserved::Exhausted);
        }
        known.issued += 1;
        Ok(Reserved::Taken)
    }

    async fn is_open(&self, id: &SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let all = lock(&self.0);
        let known = all.get(id);
        Ok(known.is_some_and(|known| !known.interview.is_over(now)))
    }

    fn release(&self, id: &SessionId) {
        if let Some(known) = lock(&self.0).get_mut(id) {
            known.issued = known.issued.saturating_sub(1);
        }
    }
}

/// Passes in memory, each spent once.
#[derive(Default)]
pub struct FakePasses(Mutex<BTreeMap<GrantId, (PassRecord, bool)>>);

#[async_trait]
impl Passes for FakePasses {
    async fn keep(&self, pass: &PassRecord) -> Result<(), StoreError> {
        lock(&self.0).insert(pass.grant.clone(), (pass.clone(), false));
        Ok(())
    }

    async fn find(&self, grant: &GrantId) -> Result<Option<PassRecord>, StoreError> {
        Ok(lock(&self.0).get(grant).map(|(pass, _)| pass.clone()))
    }

    async fn spend(&self, grant: &GrantId) -> Result<Spent, StoreError> {
        let mut all = lock(&self.0);
        let Some((_, spent)) = all.get_mut(grant) else {
            return Ok(Spent::Unknown);
        };
        let before = std::mem::replace(spent, true);
        Ok(if before { Spent::Again } else { Spent::First })
    }

    async fn forget(&self, _: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }
}

/// The sums of accounts, whatever the day.
#[derive(Default)]
pub struct FakeUsage(Mutex<Vec<(UsageKey, Usage)>>);

#[async_trait]
impl UsageLedger for FakeUsage {
    fn add(&self, key: &UsageKey, usage: &Usage) {
        lock(&self.0).push((key.clone(), *usage));
    }

    fn spent(&self, account: &Account, _: jiff::civil::Date) -> Usage {
        let mut sum = Usage::default();
        for (key, usage) in lock(&self.0).iter() {
            let of_account = match account {
                Account::Subject(subject) => key.subject == *subject,
                Account::Role(role) => key.role == *role,
            };
            if of_account {
                sum.add(usage);
            }
        }
        sum
    }

    async fn totals(&self, query: &UsageQuery) -> Result<UsageTotals, StoreError> {
        Ok(query.cut(Vec::new()))
    }

    async fn counted(&self, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn count(
        &self,
        _: &str,
        _: std::ops::Range<u64>,
        _: &HashMap<ActivityKey, Tally>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, _: jiff::civil::Date) -> Result<usize, StoreError> {
        Ok(0)
    }
}
