//! The query service's instruments.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, UpDownCounter},
};

use crate::{
    database_metrics::DatabaseMetrics,
    instruments::{counter, histogram, observe_f64, observe_i64, up_down_counter},
    names::{attribute as a, metric},
};

/// How the cache gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// From memory.
    Hit,
    /// Computed.
    Miss,
    /// Waited for another request's computation.
    Coalesced,
    /// In memory, but not provably current, so computed.
    Stale,
    /// Not cacheable: streamed or unpaged.
    Bypass,
}

impl CacheResult {
    /// The attribute's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Stale => "stale",
            Self::Bypass => "bypass",
        }
    }
}

/// The cache at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct CacheState {
    /// Answers held.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What names one finished request.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// A known method, `_OTHER` for the rest.
    pub method: &'static str,
    /// The route's template, empty when none matched; never the path.
    pub route: &'static str,
    /// Status sent.
    pub status: u16,
}

/// The query service's instruments; clones share them.
#[derive(Debug, Clone)]
pub struct QueryMetrics {
    /// Database operations and pools.
    pub database: DatabaseMetrics,
    meter: Meter,
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    body: Histogram<f64>,
    first_byte: Histogram<f64>,
    rows: Histogram<f64>,
    aborts: Counter<u64>,
    auth_refusals: Counter<u64>,
    impersonated: Counter<u64>,
    limited: Counter<u64>,
    key_fetches: Counter<u64>,
    cache: Counter<u64>,
    changes: Counter<u64>,
}

impl QueryMetrics {
    /// Makes the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self {
            database: DatabaseMetrics::new(meter),
            meter: meter.clone(),
            duration: histogram(meter, &metric::HTTP_DURATION),
            active: up_down_counter(meter, &metric::HTTP_ACTIVE),
            body: histogram(meter, &metric::HTTP_BODY_SIZE),
            first_byte: histogram(meter, &metric::TIME_TO_FIRST_BYTE),
            rows: histogram(meter, &metric::ANSWER_ROWS),
            aborts: counter(meter, &metric::STREAM_ABORTS),
            auth_refusals: counter(meter, &metric::AUTH_REFUSALS),
            impersonated: counter(meter, &metric::IMPERSONATED),
            limited: counter(meter, &metric::LIMITED),
            key_fetches: counter(meter, &metric::KEY_FETCHES),
            cache: counter(meter, &metric::CACHE_LOOKUPS),
            changes: counter(meter, &metric::CHANGES),
        }
    }

    /// Has `read` asked for the cache's state at every export. Call it once.
    pub fn observe_cache(&self, read: impl Fn() -> CacheState + Send + Sync + 'static) {
        let read = Arc::new(read);
        let entries = Arc::clone(&read);
        observe_i64(&self.meter, &metric::CACHE_ENTRIES, move |gauge| {
            gauge.observe(i64::try_from(entries().entries).unwrap_or(i64::MAX), &[]);
        });
        observe_i64(&self.meter, &metric::CACHE_SIZE, move |gauge| {
            gauge.observe(i64::try_from(read().bytes).unwrap_or(i64::MAX), &[]);
        });
    }

    /// Has `read` asked at every export how long ago the change feed was last proven complete. Call it once.
    pub fn observe_feed(&self, read: impl Fn() -> Duration + Send + Sync + 'static) {
        observe_f64(&self.meter, &metric::FEED_AGE, move |gauge| {
            gauge.observe(read().as_secs_f64(), &[]);
        });
    }

    /// Has `read` asked at every export how far the standby that is read was behind its primary. Call it once.
    pub fn observe_replay_lag(&self, read: impl Fn() -> Duration + Send + Sync + 'static) {
        observe_f64(&self.meter, &metric::REPLAY_LAG, move |gauge| {
            gauge.observe(read().as_secs_f64(), &[]);
        });
    }

    /// A request came in.
    pub fn request_started(&self, method: &'static str) {
        self.active.add(
            1,
            &[
                KeyValue::new(a::HTTP_REQUEST_METHOD, method),
                KeyValue::new(a::URL_SCHEME, "http"),
            ],
        );
    }

    /// A request's last byte went out, or it ended otherwise, after `duration` and `body_bytes`.
    pub fn request_finished(&self, request: Request, duration: Duration, body_bytes: u64) {
        let method = KeyValue::new(a::HTTP_REQUEST_METHOD, request.method);
        let scheme = KeyValue::new(a::URL_SCHEME, "http");
        let route = KeyValue::new(a::HTTP_ROUTE, request.route);
        let attributes = [
            method.clone(),
            route.clone(),
            KeyValue::new(a::HTTP_RESPONSE_STATUS_CODE, i64::from(request.status)),
            scheme.clone(),
            KeyValue::new(
                a::ERROR_TYPE,
                if request.status >= 500 {
                    request.status.to_string()
                } else {
                    String::new()
                },
            ),
        ];
        let used = if request.status >= 500 { 5 } else { 4 };
        self.active.add(-1, &[method, scheme]);
        self.duration.record(duration.as_secs_f64(), &attributes[..used]);
        #[expect(clippy::cast_precision_loss, reason = "an answer has fewer than 2^52 bytes")]
        self.body.record(body_bytes as f64, &[route]);
    }

    /// The first byte of an answer's body was ready after `duration`.
    pub fn first_byte(&self, route: &'static str, duration: Duration) {
        self.first_byte
            .record(duration.as_secs_f64(), &[KeyValue::new(a::HTTP_ROUTE, route)]);
    }

    /// An answer held this many conversations.
    pub fn answered(&self, route: &'static str, rows: u64) {
        #[expect(clippy::cast_precision_loss, reason = "an answer has fewer than 2^52 rows")]
        self.rows.record(rows as f64, &[KeyValue::new(a::HTTP_ROUTE, route)]);
    }

    /// A streamed answer failed after its headers.
    pub fn stream_aborted(&self, reason: &'static str) {
        self.aborts.add(1, &[KeyValue::new(a::REASON, reason)]);
    }

    /// A request was refused for its token or its claims; `reason` is a stable kebab-case code.
    pub fn auth_refused(&self, reason: &'static str) {
        self.auth_refusals.add(1, &[KeyValue::new(a::REASON, reason)]);
    }

    /// A request came from somebody who acts as the user.
    pub fn impersonated(&self) {
        self.impersonated.add(1, &[]);
    }

    /// A request was turned away to protect the others: `rate`, `requests`, `streams`, `pool`, `time`,
    /// `share`, `memory`, `connections`.
    pub fn limited(&self, reason: &'static str) {
        self.limited.add(1, &[KeyValue::new(a::REASON, reason)]);
    }

    /// The issuer's keys were fetched.
    pub fn keys_fetched(&self, succeeded: bool) {
        self.key_fetches.add(
            1,
            &[KeyValue::new(
                a::OUTCOME,
                if succeeded { "succeeded" } else { "failed" },
            )],
        );
    }

    /// The cache gave an answer.
    pub fn cache_lookup(&self, result: CacheResult) {
        self.cache.add(1, &[KeyValue::new(a::CACHE_RESULT, result.as_str())]);
    }

    /// A change notification arrived.
    pub fn change_received(&self) {
        self.changes.add(1, &[]);
    }
}
