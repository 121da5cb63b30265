//! What arrives at receivers whose certificates only OpenTelemetry's files vouch for, over either transport.

use std::{fs, path::Path, time::Duration};

use recap_telemetry::{LogFormat, LogOutput, OtlpTlsConfig, QueryMetrics, Service, Telemetry, TelemetryConfig};
use recap_testing::CertificateAuthority;

use crate::receiver::Receiver;

/// An authority in files, as an operator has it: its own certificate, and a client's with its key.
struct Files {
    authority: CertificateAuthority,
    certificate: String,
    client_certificate: String,
    client_key: String,
}

impl Files {
    fn generate(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let authority = CertificateAuthority::generate()?;
        let client = authority.client("recap")?;
        let file = |kind: &str, pem: &str| {
            let path = folder.join(format!("{name}-{kind}.pem"));
            fs::write(&path, pem).map(|()| path.display().to_string())
        };
        Ok(Self {
            certificate: file("ca", &authority.certificate)?,
            client_certificate: file("client", &client.certificate)?,
            client_key: file("key", &client.key)?,
            authority,
        })
    }
}

/// Traces and logs go where the shared files fit, metrics where their own do.
pub async fn each_signal_arrives_where_its_files_fit(protocol: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let shared = Files::generate(folder.path(), "shared")?;
    let own = Files::generate(folder.path(), "metrics")?;
    let receiver = Receiver::start_with_tls(&shared.authority).await?;
    let of_metrics = Receiver::start_with_tls(&own.authority).await?;
    let metrics_path = if protocol == "grpc" { "" } else { "/v1/metrics" };
    let config = TelemetryConfig {
        log: "info".into(),
        log_format: LogFormat::Json,
        otel_exporter_otlp_endpoint: Some(receiver.endpoint().into()),
        otel_exporter_otlp_metrics_endpoint: Some(format!("{}{metrics_path}", of_metrics.endpoint())),
        otel_exporter_otlp_protocol: Some(protocol.to_owned()),
        tls: OtlpTlsConfig {
            otel_exporter_otlp_certificate: Some(shared.certificate),
            otel_exporter_otlp_client_certificate: Some(shared.client_certificate),
            otel_exporter_otlp_client_key: Some(shared.client_key),
            otel_exporter_otlp_metrics_certificate: Some(own.certificate),
            otel_exporter_otlp_metrics_client_certificate: Some(own.client_certificate),
            otel_exporter_otlp_metrics_client_key: Some(own.client_key),
            ..OtlpTlsConfig::default()
        },
        ..TelemetryConfig::default()
    };
    let service = Service {
        name: "recap-test",
        version: "1.2.3",
        logs: LogOutput::Stderr,
    };
    let telemetry = Telemetry::start(&config, service)?;
    tracing::info_span!("flush").in_scope(|| tracing::info!("written"));
    QueryMetrics::new(&telemetry.meter()).limited("rate");
    // Ending waits for the exporters, which the receivers on this runtime must be free to answer.
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;

    let limit = Duration::from_secs(5);
    let all = receiver.received();
    assert!(
        all.spans().iter().any(|span| span.span.name == "flush"),
        "no span arrived"
    );
    assert!(
        all.log_records().iter().any(|(body, ..)| body == "written"),
        "no log line arrived"
    );
    assert_eq!(all.metric_names(), Vec::<String>::new());
    let metrics = of_metrics
        .wait_for(limit, |received| {
            Some(received.metric_names()).filter(|names| !names.is_empty())
        })
        .await;
    assert!(metrics.is_some_and(|names| names.iter().any(|name| name == "recap.query.limited")));
    assert!(of_metrics.received().spans().is_empty());
    Ok(())
}
