//! What the trail said of each minute of the last day.
//!
//! Fed by whoever follows the trail, so its numbers are the trail's numbers;
//! no request waits for it.

mod minute;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hallpass_core::{
    Timestamp,
    usage::{Activity, Counted},
};

pub(crate) use minute::Minute;

/// Minutes kept: a day.
pub(crate) const KEPT: usize = 1440;
/// Minutes of which each subject is counted: an hour.
pub(crate) const KEPT_BY_SUBJECT: usize = 60;
/// Subjects counted in a minute; who comes after them is not.
const MOST_SUBJECTS: usize = 2000;

/// The minutes of the last day.
#[derive(Default)]
pub struct Timeline(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    /// One a minute without gaps, the newest last.
    minutes: VecDeque<Minute>,
    /// The number of the newest: minutes since 1970.
    newest: i64,
    /// Client secrets by subject, of the newest minutes.
    subjects: VecDeque<HashMap<Arc<str>, u64>>,
    /// Whether what was in the trail before the start is counted.
    is_filled: bool,
}

impl Timeline {
    /// Counts what a record of some time tells of a subject. One that is a day
    /// old, or not yet due, is left out.
    pub fn note(&self, time: Timestamp, subject: Option<&str>, counted: &Counted, now: Timestamp) {
        let mut ring = self.ring();
        ring.turn_to(now);
        let age = ring.newest - number_of(time);
        let Some(place) = place(age, ring.minutes.len()) else {
            return;
        };
        if let Some(minute) = ring.minutes.get_mut(place) {
            minute.count(counted);
        }
        let is_issue = counted.happening.activity == Activity::Minted;
        let Some(subject) = subject.filter(|_| is_issue) else {
            return;
        };
        let Some(place) = self::place(age, ring.subjects.len()) else {
            return;
        };
        if let Some(subjects) = ring.subjects.get_mut(place) {
            count_subject(subjects, subject);
        }
    }

    /// Notes that everything written before the start is counted.
    pub fn filled(&self) {
        self.ring().is_filled = true;
    }

    /// Whether it is.
    pub(crate) fn is_filled(&self) -> bool {
        self.ring().is_filled
    }

    /// The last minutes, in groups of `step`, oldest first, each with the time
    /// it begins. The newest group may still grow.
    pub(crate) fn groups(
        &self,
        minutes: usize,
        step: usize,
        now: Timestamp,
    ) -> Vec<(Timestamp, Minute)> {
        let mut ring = self.ring();
        ring.turn_to(now);
        let step = i64::try_from(step.max(1)).unwrap_or(1);
        let first = ring.newest - i64::try_from(minutes).unwrap_or(0) + 1;
        let oldest = ring.newest - i64::try_from(ring.minutes.len()).unwrap_or(0) + 1;
        let mut groups: Vec<(i64, Minute)> = Vec::new();
        for number in first..=ring.newest {
            // Groups begin at round times, so that a page shows the same ones
            // a minute later.
            let group = number - number.rem_euclid(step);
            if groups.last().is_none_or(|(last, _)| *last != group) {
                groups.push((group, Minute::default()));
            }
            let place = usize::try_from(number - oldest).ok();
            let minute = place.and_then(|place| ring.minutes.get(place));
            if let (Some((_, sum)), Some(minute)) = (groups.last_mut(), minute) {
                sum.add(minute);
            }
        }
        let timed = groups.into_iter();
        timed
            .filter_map(|(number, sum)| Some((Timestamp::from_second(number * 60).ok()?, sum)))
            .collect()
    }

    /// The last minutes together, this one included.
    pub(crate) fn sum(&self, minutes: usize, now: Timestamp) -> Minute {
        let mut ring = self.ring();
        ring.turn_to(now);
        let mut sum = Minute::default();
        for minute in ring.minutes.iter().rev().take(minutes) {
            sum.add(minute);
        }
        sum
    }

    /// Client secrets of each subject in the last hour, the most first: how
    /// many in this minute and the one before, and in the hour.
    pub(crate) fn subjects(&self, now: Timestamp) -> Vec<(Arc<str>, u64, u64)> {
        let mut ring = self.ring();
        ring.turn_to(now);
        let mut found: HashMap<Arc<str>, (u64, u64)> = HashMap::new();
        for (age, subjects) in ring.subjects.iter().rev().enumerate() {
            for (subject, count) in subjects {
                let (lately, hour) = found.entry(subject.clone()).or_default();
                *hour += count;
                *lately += if age < 2 { *count } else { 0 };
            }
        }
        drop(ring);
        let listed = found.into_iter();
        let mut listed: Vec<_> = listed
            .map(|(subject, (lately, hour))| (subject, lately, hour))
            .collect();
        listed.sort_by(|a, b| (b.2, &a.0).cmp(&(a.2, &b.0)));
        listed
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Begins the minutes up to now. Where the clock went back, the minutes
    /// that are not yet due stay as they are.
    fn turn_to(&mut self, now: Timestamp) {
        let number = number_of(now);
        let ahead = number - self.newest;
        if self.minutes.is_empty() || ahead >= i64::try_from(KEPT).unwrap_or(i64::MAX) {
            self.minutes = std::iter::repeat_with(Minute::default).take(KEPT).collect();
            self.subjects = std::iter::repeat_with(HashMap::new)
                .take(KEPT_BY_SUBJECT)
                .collect();
            self.newest = number;
        }
        while self.newest < number {
            self.minutes.pop_front();
            self.minutes.push_back(Minute::default());
            self.subjects.pop_front();
            self.subjects.push_back(HashMap::new());
            self.newest += 1;
        }
    }
}

fn count_subject(subjects: &mut HashMap<Arc<str>, u64>, subject: &str) {
    if let Some(count) = subjects.get_mut(subject) {
        *count += 1;
    } else if subjects.len() < MOST_SUBJECTS {
        subjects.insert(subject.into(), 1);
    }
}

/// Where what is so many minutes old stands among so many, the newest last.
fn place(age: i64, length: usize) -> Option<usize> {
    let age = usize::try_from(age).ok()?;
    length.checked_sub(age + 1)
}

fn number_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use hallpass_core::usage::{Happening, Source, Tally};

    use super::*;

    fn at(minute: i64, second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60 + second).unwrap()
    }

    /// A secret issued in one minute and read in another.
    fn mint(timeline: &Timeline, minute: i64, subject: &str, now: Timestamp) {
        let counted = Counted {
            happening: Happening::plain(Activity::Minted),
            source: Source::Measured,
            tally: Tally::ONCE,
        };
        timeline.note(at(minute, 5), Some(subject), &counted, now);
    }

    fn issued(timeline: &Timeline, minutes: usize, step: usize, now: i64) -> Vec<u64> {
        let groups = timeline.groups(minutes, step, at(now, 30));
        groups.iter().map(|(_, sum)| sum.issued).collect()
    }

    #[test]
    fn each_minute_has_its_own_and_old_ones_go() {
        let timeline = Timeline::default();
        for (minute, times) in [(0, 2), (2, 3), (3, 1)] {
            for _ in 0..times {
                mint(&timeline, minute, "ada", at(3, 0));
            }
        }
        assert_eq!(issued(&timeline, 4, 1, 3), [2, 0, 3, 1]);
        assert_eq!(issued(&timeline, 4, 1, 5), [3, 1, 0, 0]);
        assert_eq!(timeline.sum(60, at(5, 0)).issued, 6);
        let a_day_later = i64::try_from(KEPT).unwrap() + 1;
        assert_eq!(timeline.sum(KEPT, at(a_day_later, 0)).issued, 4);
        assert_eq!(timeline.sum(KEPT, at(a_day_later * 3, 0)).issued, 0);
    }

    #[test]
    fn groups_begin_at_round_times() {
        // 1,800,000,000 is a round number of five minutes.
        let timeline = Timeline::default();
        for minute in 0..12 {
            mint(&timeline, minute, "ada", at(11, 0));
        }
        assert_eq!(issued(&timeline, 10, 5, 11), [3, 5, 2]);
        let groups = timeline.groups(10, 5, at(11, 0));
        assert_eq!(groups[1].0, at(5, 0));
    }

    #[test]
    fn what_is_too_old_or_not_yet_due_is_left_out() {
        let timeline = Timeline::default();
        mint(&timeline, -2000, "ada", at(0, 0));
        mint(&timeline, 5, "ada", at(0, 0));
        assert_eq!(timeline.sum(KEPT, at(0, 0)).issued, 0);
        // The clock goes back a little: the newer minutes stay.
        mint(&timeline, 0, "ada", at(0, 0));
        mint(&timeline, -1, "ada", at(-1, 0));
        assert_eq!(timeline.sum(KEPT, at(0, 30)).issued, 2);
    }

    #[test]
    fn subjects_are_counted_for_an_hour_the_most_first() {
        let timeline = Timeline::default();
        for (minute, subject) in [(0, "ada"), (58, "bob"), (59, "bob"), (59, "cyd")] {
            mint(&timeline, minute, subject, at(59, 0));
        }
        let told = |now| {
            let found = timeline.subjects(at(now, 0));
            let told =
                |(subject, lately, hour): (Arc<str>, u64, u64)| (subject.to_string(), lately, hour);
            found.into_iter().map(told).collect::<Vec<_>>()
        };
        let row = |subject: &str, lately, hour| (subject.to_owned(), lately, hour);
        assert_eq!(
            told(59),
            [row("bob", 2, 2), row("ada", 0, 1), row("cyd", 1, 1)]
        );
        assert_eq!(told(60), [row("bob", 1, 2), row("cyd", 1, 1)]);
    }

    #[test]
    fn a_crowd_takes_a_bounded_place() {
        let timeline = Timeline::default();
        for number in 0..3000 {
            mint(&timeline, 0, &number.to_string(), at(0, 0));
        }
        assert_eq!(timeline.subjects(at(0, 0)).len(), MOST_SUBJECTS);
        assert_eq!(timeline.sum(1, at(0, 0)).issued, 3000);
    }
}
