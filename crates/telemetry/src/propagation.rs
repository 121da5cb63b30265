//! W3C trace context in and out: Kafka headers and HTTP headers alike.
//!
//! A batch answers to many producers: its span gets the first producer's as parent, so that one trace spans both, and a link to each of the
//! others, at most [`MAX_LINKS`]. Without traces configured everything here costs one atomic load.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use opentelemetry::{
    propagation::{Extractor, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header that carries the context.
pub const TRACEPARENT: &str = "traceparent";
/// The header that carries vendors' additions to it.
pub const TRACESTATE: &str = "tracestate";
/// A longer state is dropped, as the standard allows: it is a stranger's text, and would be exported with every span.
const MAX_STATE_BYTES: usize = 512;
/// Entries that a state may have.
const MAX_STATE_ENTRIES: usize = 32;
/// Links a batch's span has at most.
pub const MAX_LINKS: usize = 32;

static ENABLED: AtomicBool = AtomicBool::new(false);

pub(crate) fn enable() {
    ENABLED.store(true, Ordering::Relaxed);
}

/// Whether traces are exported; when not, there is no need to look for headers.
#[must_use]
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

struct Headers<'a> {
    parent: &'a str,
    state: Option<&'a str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(self.parent),
            TRACESTATE => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

/// The remote span that `traceparent` and `tracestate` name; `None` when unreadable, as the standard wants. A state beyond its bounds is dropped.
#[must_use]
pub fn extract(parent: &str, state: Option<&str>) -> Option<SpanContext> {
    let state = state.filter(|state| state.len() <= MAX_STATE_BYTES && state.split(',').count() <= MAX_STATE_ENTRIES);
    let context = TraceContextPropagator::new().extract(&Headers { parent, state });
    let span_context = context.span().span_context().clone();
    span_context.is_valid().then_some(span_context)
}

/// Makes `span` a child of the remote span the headers name. Call it before the span is entered.
pub fn continue_trace(span: &Span, parent: Option<&str>, state: Option<&str>) {
    if !enabled() {
        return;
    }
    if let Some(remote) = parent.and_then(|parent| extract(parent, state)) {
        set_parent(span, remote);
    }
}

/// The current span as headers: empty outside a trace.
#[must_use]
pub fn inject() -> Vec<(&'static str, String)> {
    inject_span(&Span::current())
}

/// `span` as headers, for what is sent on its behalf.
#[must_use]
pub fn inject_span(span: &Span) -> Vec<(&'static str, String)> {
    if !enabled() {
        return Vec::new();
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    [TRACEPARENT, TRACESTATE]
        .into_iter()
        .filter_map(|key| {
            carrier
                .remove(key)
                .filter(|value| !value.is_empty())
                .map(|value| (key, value))
        })
        .collect()
}

/// The producers' spans behind a batch: the first few distinct traces among its records.
#[derive(Debug, Clone, Default)]
pub struct Producers(Vec<SpanContext>);

impl Producers {
    /// Takes a record's headers. Unsampled and unreadable contexts are passed over, so is everything beyond [`MAX_LINKS`].
    pub fn observe<'a>(&mut self, headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) {
        if !enabled() || self.0.len() >= MAX_LINKS {
            return;
        }
        let (mut parent, mut state) = (None, None);
        for (key, value) in headers {
            match key {
                TRACEPARENT => parent = value.and_then(|value| str::from_utf8(value).ok()),
                TRACESTATE => state = value.and_then(|value| str::from_utf8(value).ok()),
                _ => {}
            }
        }
        if let Some(context) = parent.and_then(|parent| extract(parent, state)) {
            self.add(context);
        }
    }

    /// Takes another batch's producers in.
    pub fn merge(&mut self, other: Self) {
        for context in other.0 {
            self.add(context);
        }
    }

    /// Whether there is any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the batch's span the first producer's child and links it to every producer. Call it before the span is entered.
    pub fn attach(&self, span: &Span) {
        if let Some(first) = self.0.first() {
            set_parent(span, first.clone());
        }
        for context in &self.0 {
            span.add_link(context.clone());
        }
    }

    fn add(&mut self, context: SpanContext) {
        let known =
            |known: &SpanContext| known.trace_id() == context.trace_id() && known.span_id() == context.span_id();
        if self.0.len() < MAX_LINKS && context.is_sampled() && !self.0.iter().any(known) {
            self.0.push(context);
        }
    }
}

fn set_parent(span: &Span, remote: SpanContext) {
    // It fails only for a span no tracer sees, which has no parent to set.
    let _untraced = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_bounded_and_costs_no_trace_when_it_is_not() {
        const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let state = |state: &str| extract(PARENT, Some(state)).map(|context| context.trace_state().header());
        let entries = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(state("vendor=x").as_deref(), Some("vendor=x"));
        assert_eq!(state(&entries(32)), Some(entries(32)));
        for too_much in [entries(33), format!("k={}", "v".repeat(600))] {
            assert_eq!(state(&too_much).as_deref(), Some(""));
        }
    }

    #[test]
    fn a_context_is_read_whole_and_a_broken_one_is_none() {
        let context = extract(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            Some("vendor=x"),
        );
        assert!(context.as_ref().is_some_and(SpanContext::is_sampled));
        assert_eq!(
            context.map(|context| context.trace_id().to_string()).as_deref(),
            Some("0af7651916cd43dd8448eb211c80319c")
        );
        for broken in [
            "",
            "00-00-00-00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "hello",
        ] {
            assert_eq!(extract(broken, None), None);
        }
    }
}
