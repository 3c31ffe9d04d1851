//! Something taken for a request that goes back unless the request succeeds.

/// Gives back what it holds when it is dropped, unless it was kept.
///
/// A caller that hangs up drops its request at any point; what the request had
/// taken is free again without anyone having to remember it.
#[must_use = "what is held goes back when this is dropped"]
pub struct Hold(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Hold {
    /// Holds something; `give_back` runs when it is not kept.
    pub fn new(give_back: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(give_back)))
    }

    /// Keeps what is held for good.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    fn held() -> (Hold, Arc<AtomicBool>) {
        let gone = Arc::new(AtomicBool::new(false));
        let mark = gone.clone();
        (Hold::new(move || mark.store(true, Ordering::Relaxed)), gone)
    }

    #[test]
    fn what_is_dropped_goes_back_and_what_is_kept_does_not() {
        let (hold, gone) = held();
        drop(hold);
        assert!(gone.load(Ordering::Relaxed));
        let (hold, gone) = held();
        hold.keep();
        assert!(!gone.load(Ordering::Relaxed));
    }
}
