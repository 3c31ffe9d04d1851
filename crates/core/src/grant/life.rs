//! The states of a grant, and what leads from one to the other.
//!
//! ```text
//! active ──▶ connected ──▶ ended        active ──▶ expired
//!    └───────────┴──▶ revoked
//! ```

use std::time::Duration;

use super::{Grant, GrantState};
use crate::Timestamp;

/// The longest session OpenAI runs; after it none is open any more.
pub const LONGEST_SESSION: Duration = Duration::from_secs(60 * 60);

/// What happens to a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumIter)]
pub enum GrantEvent {
    /// A session was opened with it.
    Connect,
    /// Its session is over.
    End,
    /// Its time is over.
    Expire,
    /// It was withdrawn.
    Revoke,
}

impl GrantState {
    /// The state after an event; the same one where the event changes nothing.
    #[must_use]
    pub const fn after(self, event: GrantEvent) -> Self {
        match (self, event) {
            (Self::Active, GrantEvent::Connect) => Self::Connected,
            (Self::Active, GrantEvent::Expire) => Self::Expired,
            (Self::Connected, GrantEvent::End | GrantEvent::Expire) => Self::Ended,
            (Self::Active | Self::Connected, GrantEvent::Revoke) => Self::Revoked,
            (state, _) => state,
        }
    }

    /// Whether nothing leads out of this state.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Expired | Self::Revoked | Self::Ended)
    }

    /// How far along its life a grant is: no event ever lowers it.
    ///
    /// Two views of one grant are merged by taking the higher.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Active => 0,
            Self::Connected => 1,
            Self::Expired => 2,
            Self::Ended => 3,
            Self::Revoked => 4,
        }
    }
}

impl Grant {
    /// When time alone will change its state; none when it never will.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            GrantState::Active => Some(self.expires_at),
            GrantState::Connected => Some(
                self.expires_at
                    .saturating_add(LONGEST_SESSION)
                    .unwrap_or(Timestamp::MAX),
            ),
            GrantState::Expired | GrantState::Revoked | GrantState::Ended => None,
        }
    }

    /// Its state at a moment, whether or not the timer came by already.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> GrantState {
        match self.due_at() {
            Some(due) if due <= now => self.state.after(GrantEvent::Expire),
            _ => self.state,
        }
    }

    /// When the first grant of its lineage was issued.
    #[must_use]
    pub fn lineage_started_at(&self) -> Timestamp {
        let first = self.refresh_of.as_ref();
        first.map_or(self.created_at, |first| first.lineage_started_at)
    }

    /// Takes over what another view of the same grant knows and this does not.
    pub fn merge(&mut self, other: &Self) {
        if other.state.rank() > self.state.rank() {
            self.state = other.state;
        }
        if self.superseded_by.is_none() {
            self.superseded_by.clone_from(&other.superseded_by);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator;

    use super::*;

    const STATES: [GrantState; 5] = [
        GrantState::Active,
        GrantState::Connected,
        GrantState::Expired,
        GrantState::Revoked,
        GrantState::Ended,
    ];

    /// The model: every move there is, written out.
    const MOVES: [(GrantState, GrantEvent, GrantState); 6] = [
        (
            GrantState::Active,
            GrantEvent::Connect,
            GrantState::Connected,
        ),
        (GrantState::Active, GrantEvent::Expire, GrantState::Expired),
        (GrantState::Active, GrantEvent::Revoke, GrantState::Revoked),
        (GrantState::Connected, GrantEvent::End, GrantState::Ended),
        (GrantState::Connected, GrantEvent::Expire, GrantState::Ended),
        (
            GrantState::Connected,
            GrantEvent::Revoke,
            GrantState::Revoked,
        ),
    ];

    #[test]
    fn every_state_and_event_does_what_the_model_says() {
        for state in STATES {
            for event in GrantEvent::iter() {
                let known = MOVES.iter().find(|(s, e, _)| (*s, *e) == (state, event));
                let expected = known.map_or(state, |(_, _, to)| *to);
                assert_eq!(state.after(event), expected, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn nothing_leads_out_of_a_final_state() {
        for state in STATES.into_iter().filter(|state| state.is_final()) {
            for event in GrantEvent::iter() {
                assert_eq!(state.after(event), state, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn no_event_lowers_the_rank() {
        for state in STATES {
            for event in GrantEvent::iter() {
                let after = state.after(event);
                assert_eq!(after.rank() > state.rank(), after != state);
            }
        }
    }

    fn events() -> impl Strategy<Value = Vec<GrantEvent>> {
        let all: Vec<GrantEvent> = GrantEvent::iter().collect();
        proptest::collection::vec(proptest::sample::select(all), 0..40)
    }

    proptest! {
        #[test]
        fn no_path_leaves_revoked(before in events(), after in events()) {
            let mut state = GrantState::Active;
            for event in before {
                state = state.after(event);
            }
            let was_final = state.is_final();
            let revoked = state.after(GrantEvent::Revoke);
            prop_assert_eq!(revoked, if was_final { state } else { GrantState::Revoked });
            let mut end = revoked;
            for event in after {
                end = end.after(event);
            }
            prop_assert_eq!(end, revoked);
        }
    }
}
