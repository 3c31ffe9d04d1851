//! Which span made a secret: what a session that uses it is linked to.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use opentelemetry::{
    Context,
    trace::{SpanContext, TraceContextExt},
};

/// Makers that are remembered; an older one gives way.
const KEPT: usize = 1024;

/// Another span that has to do with one, and is not above it.
#[derive(Debug, Clone)]
pub struct SpanLink(pub(super) SpanContext);

/// The latest makers of secrets, by grant.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<VecDeque<(Box<str>, SpanContext)>>);

impl Links {
    /// Keeps the current span, where it is sampled.
    pub(super) fn keep(&self, grant: &str) {
        let maker = Context::map_current(|current| current.span().span_context().clone());
        if maker.is_sampled() {
            self.keep_span(grant, maker);
        }
    }

    fn keep_span(&self, grant: &str, maker: SpanContext) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((grant.into(), maker));
    }

    /// A secret opens one session: what is found is forgotten.
    pub(super) fn take(&self, grant: &str) -> Option<SpanLink> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().rposition(|(known, _)| **known == *grant)?;
        kept.remove(at).map(|(_, maker)| SpanLink(maker))
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn a_maker_is_found_once_and_the_oldest_is_forgotten() {
        let links = Links::default();
        let maker = |id: u64| {
            let (trace, span) = (TraceId::from(1), SpanId::from(id));
            SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
        };
        for id in 1..=KEPT + 1 {
            links.keep_span(&id.to_string(), maker(id as u64));
        }
        assert!(links.take("1").is_none());
        assert_eq!(links.take("2").unwrap().0.span_id(), SpanId::from(2));
        assert!(links.take("2").is_none());
    }
}
