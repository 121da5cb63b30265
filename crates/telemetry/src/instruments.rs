//! Instruments made from their definitions in [`crate::names`].

use opentelemetry::metrics::{AsyncInstrument, Counter, Histogram, Meter, UpDownCounter};

use crate::names::metric::Metric;

pub(crate) fn counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    meter
        .u64_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

pub(crate) fn up_down_counter(meter: &Meter, metric: &Metric) -> UpDownCounter<i64> {
    meter
        .i64_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

pub(crate) fn histogram(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    meter
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_boundaries(metric.buckets.to_vec())
        .build()
}

/// A gauge of whole numbers read at every export; the callback lives as long as the meter's provider.
pub(crate) fn observe_i64(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn(&dyn AsyncInstrument<i64>) + Send + Sync + 'static,
) {
    let _registered = meter
        .i64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(read)
        .build();
}

/// The same, summable over instances.
pub(crate) fn observe_sum(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn(&dyn AsyncInstrument<i64>) + Send + Sync + 'static,
) {
    let _registered = meter
        .i64_observable_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(read)
        .build();
}

/// A gauge of fractions read at every export.
pub(crate) fn observe_f64(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
) {
    let _registered = meter
        .f64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(read)
        .build();
}
