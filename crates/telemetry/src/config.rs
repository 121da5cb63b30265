//! Telemetry's settings: OpenTelemetry's own variables, and how logs look.
//!
//! Platforms inject OpenTelemetry's variables for all their programs, so what this one does not know it warns of, as the specification
//! says, and runs.

mod lenient;
mod tls;

use std::time::Duration;

use clap::{Args, ValueEnum};

use self::lenient::Reading;
pub use self::tls::OtlpTlsConfig;
pub(crate) use self::{
    lenient::{Exporter, OtlpProtocol},
    tls::OtlpTls,
};

/// Of one export, unless `OTEL_EXPORTER_OTLP_TIMEOUT` gives another (OpenTelemetry, "Protocol Exporter").
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Turns OpenTelemetry off whatever else is set: `true`.
    #[arg(long, env = "OTEL_SDK_DISABLED", value_name = "BOOL")]
    pub otel_sdk_disabled: Option<String>,
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
    /// OTLP transport of all signals: `grpc`, `http/protobuf` [default: http/protobuf].
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", value_name = "PROTOCOL")]
    pub otel_exporter_otlp_protocol: Option<String>,
    /// Traces: `otlp` or `none` [default: otlp when there is an endpoint].
    #[arg(long, env = "OTEL_TRACES_EXPORTER", value_name = "EXPORTER")]
    pub otel_traces_exporter: Option<String>,
    /// Metrics: `otlp` or `none`; `/metrics` is there in either case.
    #[arg(long, env = "OTEL_METRICS_EXPORTER", value_name = "EXPORTER")]
    pub otel_metrics_exporter: Option<String>,
    /// Logs: `otlp` or `none`; standard output has them in either case.
    #[arg(long, env = "OTEL_LOGS_EXPORTER", value_name = "EXPORTER")]
    pub otel_logs_exporter: Option<String>,
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
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", value_name = "PROTOCOL")]
    pub otel_exporter_otlp_traces_protocol: Option<String>,
    /// OTLP transport of metrics.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", value_name = "PROTOCOL")]
    pub otel_exporter_otlp_metrics_protocol: Option<String>,
    /// OTLP transport of logs.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", value_name = "PROTOCOL")]
    pub otel_exporter_otlp_logs_protocol: Option<String>,
    /// Files for endpoints of `https`.
    #[command(flatten)]
    pub tls: OtlpTlsConfig,
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
    pub tls: OtlpTls,
    /// Of one export.
    pub timeout: Duration,
}

impl Target {
    pub fn is_https(&self) -> bool {
        self.endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.starts_with("https:"))
    }
}

/// What a signal's own variables say.
struct SignalVariables<'a> {
    name: &'static str,
    exporter: Option<&'a String>,
    endpoint: Option<&'a String>,
    protocol: Option<&'a String>,
    path: &'static str,
}

impl TelemetryConfig {
    /// Where `signal` is exported, `None` when it is not.
    pub(crate) fn target(&self, signal: Signal) -> Option<Target> {
        self.read(signal, &mut Reading::default())
    }

    /// What is set and not understood, one sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut reading = Reading::default();
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            self.read(signal, &mut reading);
        }
        reading.warnings()
    }

    fn read(&self, signal: Signal, reading: &mut Reading) -> Option<Target> {
        let own = self.variables_of(signal);
        if reading.boolean("OTEL_SDK_DISABLED", self.otel_sdk_disabled.as_ref()) {
            return None;
        }
        let exporter = reading.exporter(&format!("OTEL_{}_EXPORTER", own.name), own.exporter);
        if exporter == Some(Exporter::None) {
            return None;
        }
        let shared = reading.protocol("OTEL_EXPORTER_OTLP_PROTOCOL", self.otel_exporter_otlp_protocol.as_ref());
        let protocol = reading.protocol(&format!("OTEL_EXPORTER_OTLP_{}_PROTOCOL", own.name), own.protocol);
        let protocol = protocol.or(shared).unwrap_or_default();
        let shared = reading.endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", self.otel_exporter_otlp_endpoint.as_ref());
        let shared = shared.map(|base| match protocol {
            OtlpProtocol::Grpc => base,
            OtlpProtocol::HttpProtobuf => format!("{}/{}", base.trim_end_matches('/'), own.path),
        });
        let endpoint = reading.endpoint(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", own.name), own.endpoint);
        let endpoint = endpoint.or(shared);
        let tls = self.tls.read(signal, reading);
        (endpoint.is_some() || exporter == Some(Exporter::Otlp)).then_some(Target {
            endpoint,
            protocol,
            tls,
            timeout: timeout(own.name),
        })
    }

    fn variables_of(&self, signal: Signal) -> SignalVariables<'_> {
        match signal {
            Signal::Traces => SignalVariables {
                name: "TRACES",
                exporter: self.otel_traces_exporter.as_ref(),
                endpoint: self.otel_exporter_otlp_traces_endpoint.as_ref(),
                protocol: self.otel_exporter_otlp_traces_protocol.as_ref(),
                path: "v1/traces",
            },
            Signal::Metrics => SignalVariables {
                name: "METRICS",
                exporter: self.otel_metrics_exporter.as_ref(),
                endpoint: self.otel_exporter_otlp_metrics_endpoint.as_ref(),
                protocol: self.otel_exporter_otlp_metrics_protocol.as_ref(),
                path: "v1/metrics",
            },
            Signal::Logs => SignalVariables {
                name: "LOGS",
                exporter: self.otel_logs_exporter.as_ref(),
                endpoint: self.otel_exporter_otlp_logs_endpoint.as_ref(),
                protocol: self.otel_exporter_otlp_logs_protocol.as_ref(),
                path: "v1/logs",
            },
        }
    }
}

/// What the exporters read for themselves where their client is their own.
fn timeout(signal: &str) -> Duration {
    let variables = [
        format!("OTEL_EXPORTER_OTLP_{signal}_TIMEOUT"),
        "OTEL_EXPORTER_OTLP_TIMEOUT".to_owned(),
    ];
    let mut given = variables
        .iter()
        .filter_map(|name| std::env::var(name).ok()?.parse().ok());
    given.next().map_or(DEFAULT_TIMEOUT, Duration::from_millis)
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
            otel_traces_exporter: Some("none".into()),
            ..TelemetryConfig::default()
        };
        assert_eq!(config.target(Signal::Traces), None);
        assert!(config.target(Signal::Metrics).is_some());
        config.otel_sdk_disabled = Some("true".into());
        assert_eq!(config.target(Signal::Metrics), None);
    }

    /// What platforms inject, and what becomes of it: whether metrics are exported, and how many warnings there are.
    #[test]
    fn what_is_not_understood_is_warned_of_and_left_out() {
        let endpoint = || Some("http://collector:4318".to_owned());
        for (exporter, exported, warned) in [
            ("otlp", true, 0),
            ("OTLP", true, 0),
            ("", true, 0),
            ("none", false, 0),
            ("prometheus", true, 1),
            ("console", true, 1),
            ("otlp,console", true, 1),
            ("console , None", false, 1),
        ] {
            let config = TelemetryConfig {
                otel_exporter_otlp_endpoint: endpoint(),
                otel_metrics_exporter: Some(exporter.into()),
                ..TelemetryConfig::default()
            };
            let found = (config.target(Signal::Metrics).is_some(), config.warnings().len());
            assert_eq!(found, (exported, warned), "{exporter:?}: {:?}", config.warnings());
        }
        for (disabled, exported, warned) in [("TRUE", false, 0), ("false", true, 0), ("", true, 0), ("1", true, 1)] {
            let config = TelemetryConfig {
                otel_exporter_otlp_endpoint: endpoint(),
                otel_sdk_disabled: Some(disabled.into()),
                ..TelemetryConfig::default()
            };
            let found = (config.target(Signal::Metrics).is_some(), config.warnings().len());
            assert_eq!(found, (exported, warned), "{disabled:?}");
        }
        for (protocol, read, warned) in [
            ("GRPC", OtlpProtocol::Grpc, 0),
            ("http/json", OtlpProtocol::HttpProtobuf, 1),
            ("", OtlpProtocol::HttpProtobuf, 0),
        ] {
            let config = TelemetryConfig {
                otel_exporter_otlp_endpoint: Some("collector:4317".into()),
                otel_exporter_otlp_protocol: Some(protocol.into()),
                ..TelemetryConfig::default()
            };
            let target = config.target(Signal::Traces);
            assert_eq!(target.map(|target| target.protocol), Some(read), "{protocol:?}");
            assert_eq!(config.warnings().len(), warned + 1, "an endpoint without a scheme too");
        }
    }
}
