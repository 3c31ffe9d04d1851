//! Notices a wall clock that jumps.

use std::time::Duration;

use hallpass_core::Timestamp;

/// How far the wall clock may stray from the monotonic one between two looks.
const ALLOWED: i128 = 2_000;

/// Holds the wall clock against a clock that can't be set.
#[derive(Debug, Clone, Default)]
pub struct ClockWatch {
    before: Option<(Timestamp, Duration)>,
}

/// A jump of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockJump {
    /// How far, in milliseconds; negative when it went back.
    pub milliseconds: i128,
    /// What it said last before.
    pub before: Timestamp,
    /// What it says now.
    pub after: Timestamp,
}

impl ClockWatch {
    /// Takes both clocks' readings; gives the jump since those before.
    pub fn look(&mut self, wall: Timestamp, monotonic: Duration) -> Option<ClockJump> {
        let (before, then) = self.before.replace((wall, monotonic))?;
        let passed = wall.duration_since(before).as_millis();
        let really = monotonic.saturating_sub(then).as_millis().cast_signed();
        let milliseconds = passed - really;
        (milliseconds.abs() > ALLOWED).then_some(ClockJump {
            milliseconds,
            before,
            after: wall,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_told_once_and_a_slow_drift_never() {
        let start = Timestamp::from_second(1_795_000_000).unwrap();
        let mut watch = ClockWatch::default();
        let mut look = |wall: i64, monotonic: u64| {
            let wall = start + Duration::from_secs(7200) - Duration::from_secs(7200)
                + jiff::SignedDuration::from_millis(wall);
            watch.look(wall, Duration::from_millis(monotonic))
        };
        assert_eq!(look(0, 0), None);
        assert_eq!(look(1_000, 1_000), None);
        assert_eq!(look(4_000, 2_000), None);
        let ahead = look(3_604_001, 3_000).unwrap();
        assert_eq!(ahead.milliseconds, 3_599_001);
        assert_eq!(look(3_605_000, 4_000), None);
        assert_eq!(look(5_000, 5_000).unwrap().milliseconds, -3_601_000);
        assert_eq!(look(605_000, 605_000), None);
    }
}
