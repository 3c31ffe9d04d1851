//! One request to an upstream as a span, by the conventions for HTTP clients.

use std::future::Future;

use hallpass_core::audit::UpstreamFacts;
use hallpass_telemetry::traces::{call, failed, is_recording, note};

use crate::failure::Failure;

/// What is told of a request before it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Method and path below the API's base.
    pub(crate) span: &'static str,
    /// The upstream's name in the configuration.
    pub(crate) upstream: &'a str,
    /// Its host, and the port there.
    pub(crate) server: (&'a str, u16),
    /// How many were sent for the same order before.
    pub(crate) resent: u32,
}

/// Sends a request, and notes how it went where the trace is sampled.
///
/// The exchange begins within, so that its future, a large one, is made where
/// it stays.
pub(crate) fn traced<T, F>(
    asked: Asked<'_>,
    exchange: impl FnOnce() -> F,
    facts: impl FnOnce(&T) -> &UpstreamFacts,
) -> impl Future<Output = Result<T, (Failure, UpstreamFacts)>>
where
    F: Future<Output = Result<T, (Failure, UpstreamFacts)>>,
{
    call(asked.span, async move {
        let recording = is_recording();
        if recording {
            asked.note();
        }
        let result = exchange().await;
        if recording {
            match &result {
                Ok(done) => note_answer(facts(done)),
                Err((failure, facts)) => {
                    note_answer(facts);
                    failed(failure.fault().row().code.as_str());
                }
            }
        }
        result
    })
}

impl Asked<'_> {
    fn note(&self) {
        let (address, port) = self.server;
        note("http.request.method", "POST");
        note("server.address", address.to_owned());
        note("server.port", i64::from(port));
        note("hallpass.upstream", self.upstream.to_owned());
        if self.resent > 0 {
            note("http.request.resend_count", i64::from(self.resent));
        }
    }
}

fn note_answer(facts: &UpstreamFacts) {
    if let Some(status) = facts.status {
        note("http.response.status_code", i64::from(status));
    }
    if let Some(id) = &facts.request_id {
        note("hallpass.upstream.request_id", id.clone());
    }
}
