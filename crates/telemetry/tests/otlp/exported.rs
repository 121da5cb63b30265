//! What a process that starts telemetry, works a little and ends it must have sent, over either transport.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::Link;
use recap_telemetry::{
    LogFormat, LogOutput, QueryMetrics, Service, Telemetry, TelemetryConfig,
    propagation::{Producers, inject},
};

use crate::receiver::{Receiver, attribute, resource_attributes};

pub async fn everything_recorded_arrives_when_telemetry_ends(protocol: &str) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let config = TelemetryConfig {
        log: "info".into(),
        log_format: LogFormat::Json,
        otel_exporter_otlp_endpoint: Some(receiver.endpoint().into()),
        otel_exporter_otlp_protocol: Some(protocol.to_owned()),
        ..TelemetryConfig::default()
    };
    let telemetry = Telemetry::start(
        &config,
        Service {
            name: "recap-test",
            version: "1.2.3",
            logs: LogOutput::Stderr,
        },
    )?;
    let headers = tracing::info_span!("producer").in_scope(|| {
        tracing::info!(partition = 7, "published");
        inject()
    });
    let mut producers = Producers::default();
    producers.observe(headers.iter().map(|(key, value)| (*key, Some(value.as_bytes()))));
    let flush = tracing::info_span!("flush");
    producers.attach(&flush);
    flush.in_scope(|| {
        tracing::info_span!("commit").in_scope(|| tracing::debug!("not logged at info"));
    });
    drop(flush);
    QueryMetrics::new(&telemetry.meter()).limited("rate");
    // Ending waits for the exporters, which the receiver on this runtime must be free to answer.
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;

    let all = receiver.received();
    let spans = all.spans();
    let named = |name: &str| {
        spans
            .iter()
            .find(|span| span.span.name == name)
            .map(|span| span.span.clone())
            .ok_or_else(|| anyhow::anyhow!("no span {name}"))
    };
    let (producer, flush, commit) = (named("producer")?, named("flush")?, named("commit")?);
    assert_eq!(flush.trace_id, producer.trace_id, "one trace from the producer on");
    assert_eq!(flush.parent_span_id, producer.span_id);
    assert!(flush.links.iter().any(|link: &Link| link.span_id == producer.span_id));
    assert_eq!(
        (commit.trace_id, commit.parent_span_id),
        (flush.trace_id, flush.span_id)
    );
    assert!(spans.iter().all(|span| span.service == "recap-test"));

    let resource = all.traces[0].resource_spans[0].resource.clone();
    let attributes = resource_attributes(resource.as_ref());
    assert_eq!(attribute(attributes, "service.version").as_deref(), Some("1.2.3"));
    assert_eq!(attribute(attributes, "service.namespace").as_deref(), Some("recap"));
    assert!(attribute(attributes, "service.instance.id").is_some());

    let logs = all.log_records();
    let (body, trace_id, fields) = logs.first().ok_or_else(|| anyhow::anyhow!("no log record"))?;
    assert_eq!((body.as_str(), logs.len()), ("published", 1), "debug is below RUST_LOG");
    assert_eq!(*trace_id, producer.trace_id, "a log line names its trace");
    assert_eq!(attribute(fields, "partition").as_deref(), Some("7"));

    let metrics = receiver
        .wait_for(Duration::from_secs(5), |received| {
            Some(received.metric_names()).filter(|names| !names.is_empty())
        })
        .await;
    assert!(metrics.is_some_and(|names| names.iter().any(|name| name == "recap.query.limited")));
    Ok(())
}
