//! The schema registry's instruments.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter, UpDownCounter},
};

use crate::{
    instruments::{counter, up_down_counter},
    names::{attribute as a, metric},
};

/// Counts what a schema registry says, and the lookups that wait for it.
#[derive(Debug, Clone)]
pub struct SchemaRegistryMetrics {
    lookups: Counter<u64>,
    waiting: UpDownCounter<i64>,
}

impl SchemaRegistryMetrics {
    /// Makes the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let waiting = up_down_counter(meter, &metric::SCHEMA_REGISTRY_WAITING);
        // There from the start, for alerts.
        waiting.add(0, &[]);
        Self {
            lookups: counter(meter, &metric::SCHEMA_REGISTRY_LOOKUPS),
            waiting,
        }
    }

    /// The registry was asked for a schema: `found`, `missing`, `unavailable`, `limited` or `refused`.
    pub fn answered(&self, outcome: &'static str) {
        self.lookups.add(1, &[KeyValue::new(a::OUTCOME, outcome)]);
    }

    /// So many lookups more, or fewer, wait for it.
    pub fn waiting(&self, change: i64) {
        self.waiting.add(change, &[]);
    }
}
