//! Waits that differ from replica to replica, so that none come all at once.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Half to one and a half of a time, drawn anew at each call.
pub(crate) fn about(time: Duration) -> Duration {
    // Keys of a new state are random: enough for a wait, and no dependency.
    let drawn = RandomState::new().hash_one(0_u8) % 1000;
    let thousandths = 500 + u32::try_from(drawn).unwrap_or(500);
    time * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_near_and_differ() {
        let time = Duration::from_secs(1);
        let waits: Vec<_> = (0..50).map(|_| about(time)).collect();
        assert!(
            waits
                .iter()
                .all(|wait| (time / 2..time * 3 / 2).contains(wait))
        );
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
