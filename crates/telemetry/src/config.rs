//! Telemetry's settings: OpenTelemetry's own variables, and how logs look.

use clap::{Args, ValueEnum};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line, with trace ids.
    Json,
    /// For reading on a terminal.
    Human,
}

/// OTLP's transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OtlpProtocol {
    /// gRPC, port 4317 by custom.
    #[value(name = "grpc")]
    Grpc,
    /// Protobuf over HTTP, port 4318 by custom.
    #[default]
    #[value(name = "http/protobuf")]
    HttpProtobuf,
}

/// Where a signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Exporter {
    /// To the OTLP endpoint.
    Otlp,
    /// Nowhere.
    None,
}

/// Telemetry: OTLP export is off until an endpoint is set. Beside these, the exporters read OpenTelemetry's own
/// `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT` and `_COMPRESSION`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_*`,
/// `OTEL_BLRP_*` and `OTEL_METRIC_EXPORT_INTERVAL` from the environment.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryConfig {
    /// What is logged, e.g. `info` or `warn,recap_projector=debug`.
    #[arg(long = "log", env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
    /// How log lines look.
    #[arg(long, env = "RECAP_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Turns OpenTelemetry off whatever else is set.
    #[arg(long, env = "OTEL_SDK_DISABLED", default_value_t, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub otel_sdk_disabled: bool,
    /// Name of this service in traces, metrics and logs [default: the name of the program].
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME")]
    pub otel_service_name: Option<String>,
    /// OTLP endpoint of all signals, e.g. `http://collector:4318`.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// OTLP transport of all signals.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", value_enum, default_value_t)]
    pub otel_exporter_otlp_protocol: OtlpProtocol,
    /// Traces: to OTLP or nowhere [default: otlp when there is an endpoint].
    #[arg(long, env = "OTEL_TRACES_EXPORTER", value_enum)]
    pub otel_traces_exporter: Option<Exporter>,
    /// Metrics: to OTLP or nowhere; `/metrics` is there in either case.
    #[arg(long, env = "OTEL_METRICS_EXPORTER", value_enum)]
    pub otel_metrics_exporter: Option<Exporter>,
    /// Logs: to OTLP or nowhere; standard output has them in either case.
    #[arg(long, env = "OTEL_LOGS_EXPORTER", value_enum)]
    pub otel_logs_exporter: Option<Exporter>,
    /// OTLP endpoint of traces, used as it is.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otel_exporter_otlp_traces_endpoint: Option<String>,
    /// OTLP endpoint of metrics, used as it is.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otel_exporter_otlp_metrics_endpoint: Option<String>,
    /// OTLP endpoint of logs, used as it is.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otel_exporter_otlp_logs_endpoint: Option<String>,
    /// OTLP transport of traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", value_enum)]
    pub otel_exporter_otlp_traces_protocol: Option<OtlpProtocol>,
    /// OTLP transport of metrics.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", value_enum)]
    pub otel_exporter_otlp_metrics_protocol: Option<OtlpProtocol>,
    /// OTLP transport of logs.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", value_enum)]
    pub otel_exporter_otlp_logs_protocol: Option<OtlpProtocol>,
}

/// One of OpenTelemetry's three signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Instruments.
    Metrics,
    /// Log lines.
    Logs,
}

/// Where one signal goes, after the rules above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// `None` lets the exporter take OpenTelemetry's default.
    pub endpoint: Option<String>,
    pub protocol: OtlpProtocol,
}

impl TelemetryConfig {
    /// Where `signal` is exported, `None` when it is not.
    pub(crate) fn target(&self, signal: Signal) -> Option<Target> {
        let (exporter, endpoint, protocol, path) = match signal {
            Signal::Traces => (
                self.otel_traces_exporter,
                &self.otel_exporter_otlp_traces_endpoint,
                self.otel_exporter_otlp_traces_protocol,
                "v1/traces",
            ),
            Signal::Metrics => (
                self.otel_metrics_exporter,
                &self.otel_exporter_otlp_metrics_endpoint,
                self.otel_exporter_otlp_metrics_protocol,
                "v1/metrics",
            ),
            Signal::Logs => (
                self.otel_logs_exporter,
                &self.otel_exporter_otlp_logs_endpoint,
                self.otel_exporter_otlp_logs_protocol,
                "v1/logs",
            ),
        };
        if self.otel_sdk_disabled || exporter == Some(Exporter::None) {
            return None;
        }
        let protocol = protocol.unwrap_or(self.otel_exporter_otlp_protocol);
        let shared = set(self.otel_exporter_otlp_endpoint.as_ref()).map(|base| match protocol {
            OtlpProtocol::Grpc => base.to_owned(),
            OtlpProtocol::HttpProtobuf => format!("{}/{path}", base.trim_end_matches('/')),
        });
        let endpoint = set(endpoint.as_ref()).map(ToOwned::to_owned).or(shared);
        (endpoint.is_some() || exporter == Some(Exporter::Otlp)).then_some(Target { endpoint, protocol })
    }
}

/// OpenTelemetry: an empty variable is an unset one.
fn set(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_exported_until_an_endpoint_is_set() {
        let config = TelemetryConfig::default();
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            assert_eq!(config.target(signal), None);
        }
    }

    #[test]
    fn a_shared_http_endpoint_gets_the_signals_path_and_a_signals_own_is_used_as_it_is() {
        let config = TelemetryConfig {
            otel_exporter_otlp_endpoint: Some("http://collector:4318/".into()),
            otel_exporter_otlp_logs_endpoint: Some("http://logs:4318/in".into()),
            ..TelemetryConfig::default()
        };
        let endpoint = |signal| config.target(signal).and_then(|target| target.endpoint);
        assert_eq!(
            endpoint(Signal::Traces).as_deref(),
            Some("http://collector:4318/v1/traces")
        );
        assert_eq!(endpoint(Signal::Logs).as_deref(), Some("http://logs:4318/in"));
    }

    #[test]
    fn a_signal_set_to_none_and_a_disabled_sdk_export_nothing() {
        let mut config = TelemetryConfig {
            otel_exporter_otlp_endpoint: Some("http://collector:4318".into()),
            otel_traces_exporter: Some(Exporter::None),
            ..TelemetryConfig::default()
        };
        assert_eq!(config.target(Signal::Traces), None);
        assert!(config.target(Signal::Metrics).is_some());
        config.otel_sdk_disabled = true;
        assert_eq!(config.target(Signal::Metrics), None);
    }
}
