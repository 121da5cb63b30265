//! Where instruments live, and their rendering as Prometheus text.

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{Resource, error::OTelSdkError, metrics::SdkMeterProvider};
use prometheus::{Registry, TextEncoder};

/// The content type of [`MetricsRegistry::render`].
pub const PROMETHEUS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The meter provider and the Prometheus view of it. Clones share both.
#[derive(Debug, Clone)]
pub struct MetricsRegistry {
    provider: SdkMeterProvider,
    prometheus: Registry,
}

impl MetricsRegistry {
    /// A registry that exports nothing by itself: for tests, and where no collector is configured.
    pub fn new() -> Result<Self, OTelSdkError> {
        Self::build(Resource::builder().build(), None)
    }

    pub(crate) fn build(resource: Resource, otlp: Option<MetricExporter>) -> Result<Self, OTelSdkError> {
        let prometheus = Registry::new();
        let text = opentelemetry_prometheus::exporter()
            .with_registry(prometheus.clone())
            .scope_info_enabled(false)
            .build()?;
        let mut builder = SdkMeterProvider::builder().with_resource(resource).with_reader(text);
        if let Some(exporter) = otlp {
            builder = builder.with_periodic_exporter(exporter);
        }
        Ok(Self {
            provider: builder.build(),
            prometheus,
        })
    }

    /// The meter all instruments are made with.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.provider.meter("recap")
    }

    /// Everything recorded so far, as Prometheus text ([`PROMETHEUS_CONTENT_TYPE`]).
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.prometheus.gather())
    }

    pub(crate) fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }
}
