//! Durations of database operations, taken from the store's spans: the store measures nothing itself and none of its operations is forgotten.

use std::time::Instant;

use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
};
use tracing::{
    Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, filter::filter_fn, layer::Context, registry::LookupSpan};

use crate::{
    instruments::histogram,
    names::{attribute as a, metric},
};

/// The store's spans are named so; what follows is the operation.
const PREFIX: &str = "store.";

/// Records every span of the store as a database operation. [`crate::Telemetry`] has one already.
#[derive(Debug)]
pub struct DatabaseSpans {
    duration: Histogram<f64>,
}

struct Opened(Instant);

impl DatabaseSpans {
    /// Makes the instrument.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self {
            duration: histogram(meter, &metric::DB_DURATION),
        }
    }

    /// The layer, which sees the store's spans whatever else is logged or traced.
    #[must_use]
    pub fn layer<S>(self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.with_filter(filter_fn(is_operation).with_max_level_hint(LevelFilter::DEBUG))
            .boxed()
    }
}

fn is_operation(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.name().starts_with(PREFIX)
}

impl<S> Layer<S> for DatabaseSpans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Opened(Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let extensions = span.extensions();
        if let Some(Opened(at)) = extensions.get::<Opened>() {
            let operation = span.name().strip_prefix(PREFIX).unwrap_or_default();
            self.duration.record(
                at.elapsed().as_secs_f64(),
                &[
                    KeyValue::new(a::DB_SYSTEM_NAME, "postgresql"),
                    KeyValue::new(a::DB_OPERATION_NAME, operation),
                ],
            );
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use tracing_subscriber::{EnvFilter, layer::SubscriberExt};

    use super::*;
    use crate::MetricsRegistry;

    #[test]
    fn a_store_span_is_an_operation_even_when_nothing_else_wants_it() {
        let registry = MetricsRegistry::new().unwrap();
        let quiet = tracing_subscriber::fmt::layer().with_filter(EnvFilter::new("error"));
        let subscriber = tracing_subscriber::registry()
            .with(DatabaseSpans::new(&registry.meter()).layer())
            .with(quiet);
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug_span!("store.page", limit = 50).in_scope(|| tracing::debug!("reading"));
            tracing::info_span!("flush").in_scope(|| ());
        });
        let text = registry.render().unwrap();
        let counts: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("db_client_operation_duration_seconds_count"))
            .collect();
        assert_eq!(
            counts,
            [r#"db_client_operation_duration_seconds_count{db_operation_name="page",db_system_name="postgresql"} 1"#]
        );
    }
}
