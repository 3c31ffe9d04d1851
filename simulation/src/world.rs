//! One simulation, from its hosts to its verdict.

use std::{sync::Arc, time::Duration};

use turmoil::Sim;

use crate::{
    Defect,
    chaos::Chaos,
    database::database,
    openai::{self, openai},
    people::{Person, STOP},
    redis,
    replica::Site,
    rules::{CARED_FOR, Counts, Rules},
    trace::Trace,
    trail::Disk,
};

/// Calls are over by then: their time, and what hanging up may take.
const END: Duration = Duration::from_secs(190);

/// What came of a seed.
pub(crate) struct Outcome {
    pub(crate) lines: Vec<String>,
    pub(crate) hash: u64,
    pub(crate) counts: Counts,
    pub(crate) wrong: Vec<String>,
}

/// Runs a seed.
pub(crate) fn run(seed: u64, defect: Option<Defect>) -> Outcome {
    let (trace, rules) = (Trace::default(), Rules::default());
    let sites = sites(seed, defect, &trace);
    let mut sim = network(seed);
    hosts(&mut sim, &sites, &trace);
    people(&mut sim, &sites, &rules);
    let mut chaos = Chaos::of(seed);
    let mut looked = false;
    while sim.elapsed() < END {
        chaos.step(&mut sim, &trace);
        if let Err(error) = sim.step() {
            rules.broken(format!("the simulation ended: {error}"));
            break;
        }
        if !looked && sim.elapsed() > STOP + CARED_FOR {
            looked = true;
            rules.once_calm(&sites, sim.elapsed());
        }
    }
    rules.at_the_end(&sites, &chaos.slack());
    let (lines, hash) = trace.end();
    Outcome {
        lines,
        hash,
        counts: rules.counts(),
        wrong: rules.wrong(),
    }
}

fn network(seed: u64) -> Sim<'static> {
    turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(END * 2)
        .tick_duration(Duration::from_millis(5))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(12))
        .tcp_capacity(4096)
        .build()
}

fn sites(seed: u64, defect: Option<Defect>, trace: &Trace) -> Vec<Site> {
    let (database, openai) = (database(), openai(seed, trace.clone()));
    let (processes, carried) = (Arc::default(), Arc::default());
    let site = |name| Site {
        seed,
        name,
        processes: Arc::clone(&processes),
        database: database.clone(),
        openai: openai.clone(),
        disk: Disk::default(),
        trace: trace.clone(),
        defect,
        carried: Arc::clone(&carried),
    };
    ["a", "b"].map(site).into()
}

fn hosts(sim: &mut Sim<'static>, sites: &[Site], trace: &Trace) {
    let told = trace.clone();
    sim.host("redis", move || redis::serve(told.clone()));
    let truth = sites[0].database.clone();
    sim.host("database", move || {
        truth.clone().serve(Duration::from_millis(2))
    });
    let openai = sites[0].openai.clone();
    sim.host("openai", move || openai::serve(openai.clone()));
    for site in sites.iter().cloned() {
        sim.host(site.name, move || site.clone().run());
    }
}

fn people(sim: &mut Sim<'static>, sites: &[Site], rules: &Rules) {
    for (number, name) in ["ann", "ben", "cyd"].into_iter().enumerate() {
        let person = Person {
            name,
            number: number as u64,
            sites: sites.to_vec(),
            rules: rules.clone(),
        };
        sim.client(name, person.ask(number > 0));
    }
}
