//! Who is signed in. Kept in memory alone: a restart signs everyone out.
//!
//! What a browser holds is random; here stands only its hash, so a copy of the
//! memory opens nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_core::{Timestamp, ids::CredentialId, ports::Ids};

/// Sessions of one key at once; the oldest gives way.
const MOST_OF_A_KEY: usize = 16;
/// Sessions at once.
const MOST: usize = 1024;

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lives {
    /// Without a request.
    pub(crate) idle: Duration,
    /// At all.
    pub(crate) whole: Duration,
}

/// One session.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// The key it began with, asked for again at each request.
    pub(crate) key: CredentialId,
    /// What each of its forms carries.
    pub(crate) csrf: Arc<str>,
    /// Whether it began over TLS; its cookie has another name then.
    pub(crate) secure: bool,
    started: Timestamp,
    seen: Timestamp,
}

impl Held {
    fn lasts(&self, lives: Lives, now: Timestamp) -> bool {
        let since = |then: Timestamp| now.duration_since(then).unsigned_abs();
        since(self.started) < lives.whole && since(self.seen) < lives.idle
    }
}

type Hash = [u8; 32];

/// All sessions.
pub(crate) struct Sessions {
    lives: Lives,
    held: Mutex<HashMap<Hash, Held>>,
}

impl Sessions {
    pub(crate) fn new(lives: Lives) -> Self {
        Self {
            lives,
            held: Mutex::default(),
        }
    }

    /// Begins a session; gives what the browser is to hold.
    pub(crate) fn begin(
        &self,
        key: CredentialId,
        secure: bool,
        ids: &dyn Ids,
        now: Timestamp,
    ) -> String {
        let token = random(ids);
        let held = Held {
            csrf: random(ids).into(),
            secure,
            started: now,
            seen: now,
            key,
        };
        let mut table = self.table();
        table.retain(|_, held| held.lasts(self.lives, now));
        let of_key = table.values().filter(|other| other.key == held.key).count();
        if of_key >= MOST_OF_A_KEY {
            forget_oldest(&mut table, |other| other.key == held.key);
        } else if table.len() >= MOST {
            forget_oldest(&mut table, |_| true);
        }
        table.insert(hash(&token), held);
        token
    }

    /// The session of a cookie's value, now seen; none where it is over.
    pub(crate) fn find(&self, token: &str, secure: bool, now: Timestamp) -> Option<Held> {
        let mut table = self.table();
        let place = hash(token);
        let held = table.get_mut(&place)?;
        if !held.lasts(self.lives, now) {
            table.remove(&place);
            return None;
        }
        if held.secure != secure {
            return None;
        }
        held.seen = now;
        Some(held.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, token: &str) {
        self.table().remove(&hash(token));
    }

    /// How long the longest one lasts.
    pub(crate) fn whole_life(&self) -> Duration {
        self.lives.whole
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Hash, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_oldest(table: &mut HashMap<Hash, Held>, among: impl Fn(&Held) -> bool) {
    let candidates = table.iter().filter(|(_, held)| among(held));
    let oldest = candidates.min_by_key(|(_, held)| held.seen);
    if let Some(place) = oldest.map(|(place, _)| *place) {
        table.remove(&place);
    }
}

fn random(ids: &dyn Ids) -> String {
    let mut bytes = [0; 32];
    ids.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hash(token: &str) -> Hash {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicU8);

    impl Ids for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn sessions() -> Sessions {
        Sessions::new(Lives {
            idle: Duration::from_secs(900),
            whole: Duration::from_secs(3600),
        })
    }

    fn begin(sessions: &Sessions, ids: &Counting, key: &str, second: i64) -> String {
        let key = CredentialId::new(key).unwrap();
        sessions.begin(key, false, ids, at(second))
    }

    #[test]
    fn it_ends_when_idle_and_when_its_whole_life_is_over() {
        let (sessions, ids) = (sessions(), Counting::default());
        let idle = begin(&sessions, &ids, "k", 0);
        assert!(sessions.find(&idle, false, at(899)).is_some());
        assert!(sessions.find(&idle, false, at(899 + 900)).is_none());
        assert!(
            sessions.find(&idle, false, at(0)).is_none(),
            "it stays over"
        );
        let busy = begin(&sessions, &ids, "k", 0);
        for second in (0..3600).step_by(600) {
            assert!(sessions.find(&busy, false, at(second)).is_some());
        }
        assert!(sessions.find(&busy, false, at(3600)).is_none());
    }

    #[test]
    fn one_that_began_over_tls_is_found_by_that_cookie_alone() {
        let (sessions, ids) = (sessions(), Counting::default());
        let plain = begin(&sessions, &ids, "k", 0);
        assert!(sessions.find(&plain, true, at(1)).is_none());
        assert!(sessions.find(&plain, false, at(1)).is_some());
        sessions.end(&plain);
        assert!(sessions.find(&plain, false, at(1)).is_none());
    }

    #[test]
    fn a_key_holds_so_many_and_the_idlest_gives_way() {
        let (sessions, ids) = (sessions(), Counting::default());
        let tokens: Vec<_> = (0..17)
            .map(|second| begin(&sessions, &ids, "k", second))
            .collect();
        let other = begin(&sessions, &ids, "other", 18);
        let alive = |token: &String| sessions.find(token, false, at(20)).is_some();
        assert!(!alive(&tokens[0]));
        assert_eq!(tokens.iter().filter(|token| alive(token)).count(), 16);
        assert!(alive(&other));
    }
}
