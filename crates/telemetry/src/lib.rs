//! What recap tells about itself: traces, metrics and logs by OpenTelemetry, Prometheus text for those without a collector.
//!
//! This crate sets telemetry up ([`Telemetry::start`]), carries W3C trace context in and out ([`propagation`]), names every span, metric and
//! attribute in one place ([`names`]), and has one struct of typed instruments for each part of recap ([`ProjectorMetrics`],
//! [`QueryMetrics`], [`RebuildMetrics`], [`ClerkMetrics`], [`SchemaRegistryMetrics`]). It knows nothing of events, states or SQL, and it takes no personal data: every attribute value is a
//! static string, a number, or the name of a topic.
//!
//! Start reading at [`names`], then [`ProjectorMetrics`].

mod clerk_metrics;
mod config;
mod database_metrics;
mod database_spans;
mod instruments;
mod json_log;
pub mod names;
mod observed;
mod process_metrics;
mod projector_metrics;
pub mod propagation;
mod query_metrics;
mod rebuild_metrics;
mod registry;
mod schema_registry_metrics;
mod setup;

pub use clerk_metrics::{ClerkMetrics, WebhookOutcome};
pub use config::{LogFormat, OtlpTlsConfig, Signal, TelemetryConfig};
pub use database_metrics::{DatabaseMetrics, PoolState};
pub use database_spans::DatabaseSpans;
pub use observed::{Level, LevelShare, PartitionLag, PartitionLags};
pub use opentelemetry::metrics::Meter;
pub use process_metrics::observe_process;
pub use projector_metrics::{BatchFigures, EventOutcome, FlushOutcome, ProjectorMetrics, ResetReason};
pub use query_metrics::{CacheResult, CacheState, QueryMetrics, Request};
pub use rebuild_metrics::{RebuildMetrics, RebuildPhase};
pub use registry::{MetricsRegistry, PROMETHEUS_CONTENT_TYPE};
pub use schema_registry_metrics::SchemaRegistryMetrics;
pub use setup::{LogOutput, Service, Telemetry, TelemetryError, warnings_on_stderr};
