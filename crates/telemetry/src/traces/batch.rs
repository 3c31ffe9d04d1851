//! Spans as the bytes OTLP sends.

use bytes::Bytes;
use opentelemetry_proto::{
    tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    transform::{
        common::tonic::ResourceAttributesWithSchema,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

/// Spans encoded once, however often they are sent.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) spans: u64,
    pub(super) body: Bytes,
}

impl Batch {
    pub(super) fn encode(spans: Vec<SpanData>, resource: &ResourceAttributesWithSchema) -> Self {
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let resource_spans = group_spans_by_resource_and_scope(spans, resource);
        let request = ExportTraceServiceRequest { resource_spans };
        Self {
            spans: count,
            body: request.encode_to_vec().into(),
        }
    }
}

/// Spans of a batch that the collector took no part of; what can't be read
/// says nothing of any.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    let read = ExportTraceServiceResponse::decode(answer).ok();
    let partial = read.and_then(|answer| answer.partial_success);
    let rejected = partial.map_or(0, |partial| partial.rejected_spans);
    u64::try_from(rejected).unwrap_or(0)
}
