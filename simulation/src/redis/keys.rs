//! What a Redis holds, and when each of it ends.

use std::{collections::BTreeMap, time::Duration};

use crate::trace;

type Text = Vec<u8>;

/// What a key holds.
#[derive(Debug, Clone)]
pub(super) enum Held {
    Text(Text),
    Fields(BTreeMap<Text, Text>),
    Scores(BTreeMap<Text, f64>),
    Entries(Vec<(Id, Text)>),
}

/// The id of a stream's entry.
pub(super) type Id = (u64, u64);

/// The keys of one server.
#[derive(Default)]
pub(super) struct Keys {
    held: BTreeMap<Text, (Held, Option<Duration>)>,
}

impl Keys {
    /// What a key holds now.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<&mut Held> {
        let over = |ends: &Option<Duration>| ends.is_some_and(|ends| ends <= trace::now());
        if self.held.get(key).is_some_and(|(_, ends)| over(ends)) {
            self.held.remove(key);
        }
        self.held.get_mut(key).map(|(held, _)| held)
    }

    pub(super) fn set(&mut self, key: &[u8], held: Held) {
        self.held.insert(key.to_vec(), (held, None));
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let was = self.get(key).is_some();
        self.held.remove(key);
        was
    }

    /// Has a key end after so many milliseconds.
    pub(super) fn expire(&mut self, key: &[u8], ms: f64) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        if ms <= 0.0 {
            return self.remove(key);
        }
        let ends = trace::now() + Duration::from_secs_f64(ms / 1000.0);
        if let Some((_, end)) = self.held.get_mut(key) {
            *end = Some(ends);
        }
        true
    }

    pub(super) fn fields(&mut self, key: &[u8]) -> Option<&mut BTreeMap<Text, Text>> {
        match self.get(key)? {
            Held::Fields(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn scores(&mut self, key: &[u8]) -> Option<&mut BTreeMap<Text, f64>> {
        match self.get(key)? {
            Held::Scores(scores) => Some(scores),
            _ => None,
        }
    }

    pub(super) fn entries(&mut self, key: &[u8]) -> Option<&mut Vec<(Id, Text)>> {
        match self.get(key)? {
            Held::Entries(entries) => Some(entries),
            _ => None,
        }
    }

    /// Members by score, the lowest first.
    pub(super) fn ranked(&mut self, key: &[u8]) -> Vec<(Text, f64)> {
        let scores = self.scores(key).cloned().unwrap_or_default();
        let mut ranked: Vec<(Text, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        ranked
    }
}

/// Microseconds of this server's clock.
pub(super) fn micros() -> u64 {
    const NOON: u64 = 1_795_262_400_000_000;
    NOON + u64::try_from(trace::now().as_micros()).unwrap()
}

/// A number as Redis reads it.
pub(super) fn number(text: &[u8]) -> Option<f64> {
    match text {
        b"-inf" => Some(f64::NEG_INFINITY),
        b"+inf" | b"inf" => Some(f64::INFINITY),
        text => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// A number as Redis writes it.
pub(super) fn written(number: f64) -> Text {
    match number.fract() == 0.0 && number.abs() < 1e17 {
        true => format!("{number:.0}").into_bytes(),
        false => format!("{number:?}").into_bytes(),
    }
}
