//! Load while everything between and beside the replicas breaks in turn; then
//! what clients were told, the trails, OpenAI's log and the database are held
//! together, and limits and revocations against their sequential models.

mod agreement;
mod callers;
mod faults;
mod history;
mod model;
mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

use self::{
    agreement::{Witnesses, told_troubles},
    callers::{Operator, Suspects, Where, hold, load, probe},
    faults::{FAULTS, Fault, Ways, breaks, lasts, mends, victim},
    history::{Asked, History, Span},
    model::Limit,
    report::Report,
};
use super::{Ground, Place, Plan, REPLICAS, Road, STALE, until};
use crate::support::client;

/// Seconds of a usual run; `HALLPASS_MINUTES` asks for more, as does
/// `cargo xtask replicas --chaos`.
const SECONDS: u64 = 6;
/// How long nothing is broken after each fault.
const REST: Duration = Duration::from_millis(500);
/// People whose limit is watched.
const PEOPLE: usize = 4;
/// Callers without one.
const SERVICES: usize = 3;
/// How long people's tokens last, in seconds.
const LIFETIME: i64 = 43_200;
/// Mints a minute of one person.
const PER_MINUTE: u32 = 30;
/// A revocation is lifted so many rounds later.
const LIFTED_AFTER: usize = 5;
/// How long the trails' copies may take to be whole, once all is well.
const COPIED: Duration = Duration::from_secs(30);

const LIMIT: Limit = Limit {
    count: PER_MINUTE,
    period: Duration::from_secs(60),
    replicas: 3,
};
const BOUND: Duration = Duration::from_secs(STALE);

/// A run.
struct Storm {
    place: Place,
    ways: Ways,
    history: Arc<History>,
    suspects: Arc<Suspects>,
    operator: Operator,
    /// Who asks all the while.
    callers: JoinSet<()>,
    /// Live sessions, and what is done beside a fault.
    beside: JoinSet<()>,
    /// What broke, whose, and when.
    faults: Vec<(Fault, usize, Span)>,
    /// Revocations to be lifted: the round, the person, the revocation.
    to_lift: Vec<(usize, String, String)>,
    stale_seen: usize,
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_what_was_told_holds_whatever_breaks() {
    let mut storm = Storm::raise().await;
    let (time, began) = (running_time(), Instant::now());
    for round in 0.. {
        if began.elapsed() >= time {
            break;
        }
        storm.round(round).await;
        println!(
            "storm-fault {}",
            json!({
                "number": round + 1, "fault": FAULTS[round % FAULTS.len()].to_string(),
                "seconds": began.elapsed().as_secs_f64(), "of": time.as_secs_f64(),
                "secrets": storm.history.secrets(),
            })
        );
    }
    let report = storm.held_together().await;
    println!("storm-report {}", report.json());
    assert_eq!(report.violations(), Vec::<String>::new());
    let (people, sessions) = (report.admitted.judged, report.closed.judged);
    let revoked = report.revoked.judged;
    assert!(people > 20, "people got secrets: {people}");
    assert!(revoked > 20, "the revoked asked: {revoked}");
    assert!(sessions > 0, "and had live sessions: {sessions}");
    assert!(report.alarms > 0, "Redis went, and the trails say so");
}

fn running_time() -> Duration {
    let minutes = std::env::var("HALLPASS_MINUTES").ok();
    let minutes = minutes.and_then(|minutes| minutes.parse::<f64>().ok());
    minutes.map_or(Duration::from_secs(SECONDS), |minutes| {
        Duration::from_secs_f64(minutes * 60.0)
    })
}

impl Storm {
    async fn raise() -> Self {
        let ground = Ground::new(true).await;
        // Made here, before it is reached by its proxies.
        let Road { postgres, .. } = ground.road();
        let database = postgres.rsplit_once('/').expect("a database").1;
        let ways = Ways::lay(&ground).await;
        let plan = Plan {
            roads: ways.roads(database),
            limits: format!("{{ per_minute = {PER_MINUTE} }}"),
            command_ms: 300,
            stale: STALE,
            // Else nothing is minted for half a minute after OpenAI was away.
            breaker: "breaker = { open_ms = 300, max_open_ms = 1000 }",
            fronted: true,
        };
        let place = Place::by(&plan, ground).await;
        let (history, at) = (Arc::new(History::begin()), Where::of(&place));
        let operator = Operator {
            history: history.clone(),
            at: at.clone(),
            key: place.operator.clone(),
        };
        let (suspects, mut callers) = (Arc::<Suspects>::default(), JoinSet::new());
        for number in 0..PEOPLE {
            let person = format!("user-{number}");
            let bearer = place.sites[0].token(&person, LIFETIME);
            callers.spawn(load(history.clone(), at.clone(), bearer, person));
        }
        for number in 0..SERVICES {
            let (caller, name) = (place.caller.clone(), format!("service-{number}"));
            callers.spawn(load(history.clone(), at.clone(), caller, name));
        }
        for replica in 0..REPLICAS {
            let (history, suspects) = (history.clone(), suspects.clone());
            callers.spawn(probe(history, suspects, at.clone(), replica));
        }
        Self {
            place,
            ways,
            history,
            suspects,
            operator,
            callers,
            beside: JoinSet::new(),
            faults: Vec::new(),
            to_lift: Vec::new(),
            stale_seen: 0,
            wrong: Vec::new(),
        }
    }

    /// Breaks one thing, has someone found out meanwhile, makes it whole, and
    /// has another found out.
    async fn round(&mut self, round: usize) {
        let fault = FAULTS[round % FAULTS.len()];
        let (early, late) = (format!("early-{round}"), format!("late-{round}"));
        for (carrier, person) in [(round, &early), (round + 1, &late)] {
            self.suspects.add(&self.place, person);
            let carrier = carrier % REPLICAS;
            hold(
                &self.place,
                &self.history,
                person,
                carrier,
                &mut self.beside,
            )
            .await;
        }
        tokio::time::sleep(REST).await;
        let start = self.history.now();
        breaks(&mut self.place, &self.ways, fault, round).await;
        let time = fault.lasts() / 3;
        lasts(&self.place, &self.ways, fault, round, time).await;
        let operator = self.operator.clone();
        self.beside.spawn(async move {
            operator.revoke(&early, round + 1).await;
        });
        lasts(&self.place, &self.ways, fault, round, time * 2).await;
        if fault == Fault::CutOff {
            self.stands_aside(victim(round)).await;
        }
        mends(&mut self.place, &self.ways, fault, round).await;
        let end = self.history.now();
        self.faults
            .push((fault, victim(round), Span { start, end }));
        self.operator.at.look_again(&self.place);
        self.until_all_are_ready().await;
        if let Some(id) = self.operator.revoke(&late, round).await {
            self.to_lift.push((round + LIFTED_AFTER, late, id));
        }
        self.lift(round).await;
    }

    /// A replica that knows too little says that it is not ready, and why.
    async fn stands_aside(&mut self, replica: usize) {
        let url = self.place.at(replica).url("/readyz");
        let answer = crate::support::send(client().get(url)).await;
        if answer.status == 503 && answer.text.contains("revocations") {
            self.stale_seen += 1;
        } else {
            let told = format!("cut off, and ready: {} {}", answer.status, answer.text);
            self.wrong.push(told);
        }
    }

    async fn lift(&mut self, round: usize) {
        let due = |(when, ..): &(usize, String, String)| *when <= round;
        for (_, person, id) in self.to_lift.extract_if(.., |it| due(it)) {
            self.operator.lift(&person, &id, round + 2).await;
        }
    }

    async fn until_all_are_ready(&self) {
        for replica in 0..REPLICAS {
            until("a replica is ready", async || {
                let url = self.place.at(replica).url("/readyz");
                let ready = client().get(url).send().await;
                ready.is_ok_and(|answer| answer.status() == 200)
            })
            .await;
        }
    }

    async fn until_redis_is_back(&self) {
        for replica in 0..REPLICAS {
            until("Redis is back", async || {
                let url = self.place.at(replica).admin_url("/metrics");
                let page = crate::support::send(client().get(url)).await.text;
                page.contains("hallpass_shared_store_up 1")
            })
            .await;
        }
    }

    async fn held_together(mut self) -> Report {
        // The bound of the last revocation, where there is time for it.
        if running_time() > BOUND {
            tokio::time::sleep(BOUND).await;
        }
        let seconds = self.history.now().as_secs_f64();
        let held = self.history.held();
        self.history.stop();
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        self.until_all_are_ready().await;
        self.until_redis_is_back().await;
        self.until_copied().await;
        let all = Witnesses::hear(&mut self.place).await;
        for (replica, site) in self.place.sites.iter().enumerate() {
            let verdict = site.trail().verified()["verdict"].clone();
            if verdict != "whole" {
                self.wrong
                    .push(format!("the trail of r{replica} is {verdict}"));
            }
        }
        let (history, faults) = (self.history.asked(), self.faults);
        let people: Vec<Asked> = history
            .iter()
            .filter(|it| it.person.starts_with("user-"))
            .cloned()
            .collect();
        let (troubles, alarms, mut wrong) = told_troubles(&all, &self.history, &faults);
        wrong.extend(self.wrong);
        self.beside.shutdown().await;
        Report {
            seconds,
            agreement: all.agree(&history),
            admitted: model::admitted(&people, LIMIT, &troubles),
            refused: model::refused(&people, LIMIT, &troubles),
            revoked: model::revoked(&history, BOUND),
            closed: model::closed(&history, &held, BOUND, &troubles),
            opened: held.len(),
            faults,
            alarms,
            stale_seen: self.stale_seen,
            wrong,
        }
    }

    /// Each trail is in the database, whole, and no record twice.
    async fn until_copied(&mut self) {
        let written: Vec<usize> = self.place.sites.iter().map(lines).collect();
        let counted = "SELECT COUNT(*), COUNT(DISTINCT sequence) FROM audit_records GROUP BY replica ORDER BY replica";
        let began = Instant::now();
        loop {
            let copied = self.place.own_database().run("hallpass", counted);
            let rows: Vec<(usize, usize)> = copied.lines().filter_map(row).collect();
            if let Some((all, once)) = rows.iter().find(|(all, once)| all != once) {
                self.wrong
                    .push(format!("{all} records copied, {once} of them once"));
            }
            let whole = rows
                .iter()
                .zip(&written)
                .all(|((all, _), lines)| all >= lines);
            if rows.len() == written.len() && whole {
                return;
            }
            if began.elapsed() > COPIED {
                self.wrong.push(format!("copied {rows:?} of {written:?}"));
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn lines(site: &crate::support::Site) -> usize {
    site.trail().lines().len()
}

fn row(line: &str) -> Option<(usize, usize)> {
    let (all, once) = line.split_once('|')?;
    Some((all.parse().ok()?, once.parse().ok()?))
}
