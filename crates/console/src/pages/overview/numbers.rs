//! The overview's numbers.

use std::collections::BTreeMap;

use hallpass_api::status;
use hallpass_core::code::Code;

use crate::{
    live::{Cell, Live, Row, State, Table},
    pages::users,
    text::{count, grouped, shown},
    timeline::{KEPT, Minute},
    visit::Visit,
    when,
};

/// Minutes of "the last hour".
const HOUR: usize = 60;
/// From here on a share of failures is bad, in hundredths.
const BAD_PERCENT: f64 = 5.0;

/// Sets the tiles, the causes and how the server is.
pub(super) fn fill(visit: &Visit, live: &mut Live) {
    let (timeline, now) = (visit.console.timeline(), visit.now());
    let hour = timeline.sum(HOUR, now);
    let minute = timeline.sum(1, now);
    live.say("issued_minute", grouped(minute.issued));
    live.say(
        "issued_hour",
        format!("{} in the last hour", grouped(hour.issued)),
    );
    sessions(visit, live, &hour);
    failures(live, &hour);
    let expired = count(hour.secrets_expired, "secret");
    live.say("expired", grouped(hour.expired));
    live.say("expired_note", format!("sessions, and {expired}"));
    live.say("dropped", grouped(hour.dropped));
    let ended = format!("{} ended by a rule or an operator", grouped(hour.ended));
    live.say("dropped_note", ended);
    live.judge(
        "dropped",
        warn_if(hour.dropped > hour.closed && hour.dropped > 3),
    );
    users::say_cost(visit, live);
    live.tables.push(causes(&hour, &timeline.sum(KEPT, now)));
    server(visit, live);
}

fn sessions(visit: &Visit, live: &mut Live, hour: &Minute) {
    let sessions = visit.app.broker().sessions().live.count();
    live.say("live", grouped(sessions as u64));
    let began = format!("{} began in the last hour", grouped(hour.started));
    live.say("live_note", began);
}

fn failures(live: &mut Live, hour: &Minute) {
    let percent = hour.failed_percent();
    live.say(
        "failed_percent",
        percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent:.1} %")),
    );
    let refused = format!(
        "{} failed, {} refused",
        grouped(hour.failed_mints),
        grouped(hour.refused)
    );
    live.say("failed_note", refused);
    live.judge(
        "failed_percent",
        match percent {
            Some(percent) if percent > BAD_PERCENT => State::Bad,
            Some(percent) if percent > 0.0 => State::Warn,
            Some(_) => State::Good,
            None => State::None,
        },
    );
}

fn causes(hour: &Minute, day: &Minute) -> Table {
    let mut all: BTreeMap<&String, (u64, u64)> = BTreeMap::new();
    for (code, count) in &day.causes {
        all.entry(code).or_default().1 = *count;
    }
    for (code, count) in &hour.causes {
        all.entry(code).or_default().0 = *count;
    }
    let mut ordered: Vec<_> = all.into_iter().collect();
    ordered.sort_by_key(|(_, counts)| std::cmp::Reverse(*counts));
    let rows = ordered.into_iter().map(|(code, (hour, day))| {
        let known = code.parse::<Code>().ok();
        let failure = known.is_some_and(Code::is_failure);
        Row {
            key: code.clone(),
            cells: vec![
                Cell::of(shown(code)).is(if failure { State::Bad } else { State::None }),
                Cell::of(known.map_or("", status::title)),
                Cell::of(grouped(hour)),
                Cell::of(grouped(day)),
            ],
            action: None,
        }
    });
    Table {
        name: "causes",
        rows: rows.collect(),
    }
}

fn server(visit: &Visit, live: &mut Live) {
    let app = &visit.app;
    let writable = app.broker().audit().writable();
    let trail = if writable {
        "written"
    } else {
        "can't be written: nothing is issued"
    };
    live.say("trail", trail);
    live.judge("trail", if writable { State::Good } else { State::Bad });
    let waiting = app.health().waiting_grants() as u64;
    live.say("registry", format!("{} to write", count(waiting, "grant")));
    live.judge("registry", warn_if(waiting > 10_000));
    live.say("uptime", when::lasting(app.uptime()));
    live.say("version", app.version());
}

const fn warn_if(condition: bool) -> State {
    match condition {
        true => State::Warn,
        false => State::None,
    }
}
