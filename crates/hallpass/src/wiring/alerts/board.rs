//! How things are, as the parts of the server say when it changes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hallpass_core::alert::{Alert, Cause, Level, RuleKind};

/// What is not well now, by kind and cause.
#[derive(Default)]
pub(crate) struct Board(Mutex<BTreeMap<(RuleKind, Cause), String>>);

impl Board {
    /// Says that something is not well, and what there is to tell.
    pub(crate) fn set(&self, kind: RuleKind, cause: Cause, detail: impl Into<String>) {
        self.lock().insert((kind, cause), detail.into());
    }

    /// Says that something is well.
    pub(crate) fn clear(&self, kind: RuleKind, cause: Cause) {
        self.lock().remove(&(kind, cause));
    }

    /// Says all that is not well of one kind and one value of a name: what is
    /// not among it is well.
    pub(crate) fn replace(
        &self,
        kind: RuleKind,
        (name, value): (&str, &str),
        unwell: Vec<(Cause, String)>,
    ) {
        let mut levels = self.lock();
        let is_of = |cause: &Cause| cause.get(name).is_some_and(|it| it == value);
        levels.retain(|(known, cause), _| *known != kind || !is_of(cause));
        for (cause, detail) in unwell {
            levels.insert((kind, cause), detail);
        }
    }

    /// Takes leaks that were there before a restart for being there still,
    /// until the pages are scanned again.
    pub(crate) fn restore(&self, active: &[Alert]) {
        let leaks = active
            .iter()
            .filter(|alert| alert.kind == RuleKind::KeyInClientCode);
        for alert in leaks {
            let told = alert.summary.split_once(": ").map_or("", |(_, it)| it);
            self.set(alert.kind, alert.cause.clone(), told);
        }
    }

    /// All of it.
    pub(crate) fn levels(&self) -> Vec<Level> {
        let levels = self.lock();
        let level = |((kind, cause), detail): (&(RuleKind, Cause), &String)| Level {
            kind: *kind,
            cause: cause.clone(),
            value: 1.0,
            detail: detail.clone(),
        };
        levels.iter().map(level).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(RuleKind, Cause), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cause of one name.
pub(crate) fn cause(name: &str, value: impl Into<String>) -> Cause {
    Cause::from([(name.to_owned(), value.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_leaves_others_alone() {
        let board = Board::default();
        let leak = |origin: &str, key: &str| {
            let mut cause = cause("origin", origin);
            cause.insert("credential".to_owned(), key.to_owned());
            (cause, "sk-…".to_owned())
        };
        let kind = RuleKind::KeyInClientCode;
        board.set(RuleKind::ScanFailing, cause("origin", "a"), "away");
        board.replace(kind, ("origin", "a"), vec![leak("a", "1"), leak("a", "2")]);
        board.replace(kind, ("origin", "b"), vec![leak("b", "1")]);
        assert_eq!(board.levels().len(), 4);
        board.replace(kind, ("origin", "a"), vec![leak("a", "2")]);
        assert_eq!(board.levels().len(), 3);
        board.clear(RuleKind::ScanFailing, cause("origin", "a"));
        board.replace(kind, ("origin", "b"), Vec::new());
        let left = board.levels();
        assert_eq!(left[0].cause, leak("a", "2").0);
        assert_eq!(left.len(), 1);
    }
}
