//! Starting telemetry once per process, and ending it with everything sent.

use std::{
    io::{self, IsTerminal},
    time::{Duration, SystemTime},
};

use opentelemetry::{KeyValue, metrics::Meter, trace::TracerProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig, Identity},
};
use opentelemetry_sdk::{Resource, error::OTelSdkError, logs::SdkLoggerProvider, trace::SdkTracerProvider};
use opentelemetry_semantic_conventions::resource::{
    SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_VERSION,
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::LevelFilter,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

use crate::{
    config::{LogFormat, OtlpProtocol, OtlpTls, Signal, Target, TelemetryConfig},
    database_spans::DatabaseSpans,
    json_log::JsonLog,
    propagation,
    registry::MetricsRegistry,
};

/// How long ending waits for each signal's last export.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Spans in traces: those of requests and flushes, what the store does and what the cache does.
const TRACED: &str = "info,recap_store=debug,recap_query::cache=debug";

/// What exporting itself logs would be exported again and again; and the crates below speak of every frame.
const QUIET: &str = "opentelemetry=off,opentelemetry_sdk=off,opentelemetry_otlp=off,opentelemetry-otlp=off,opentelemetry-prometheus=off,\
    tonic=off,h2=off,hyper=off,hyper_util=off,reqwest=off,tower=off,rustls=off";

/// What is starting.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Its name, unless `OTEL_SERVICE_NAME` gives another: `recap-projector`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Where its log lines go.
    pub logs: LogOutput,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOutput {
    /// Services.
    Stdout,
    /// Tools whose standard output is their result.
    Stderr,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is unreadable.
    #[error("RUST_LOG: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// An exporter's settings are.
    #[error("OTLP {signal:?}: {source}")]
    Exporter {
        /// Whose exporter.
        signal: Signal,
        /// What is wrong.
        source: ExporterBuildError,
    },
    /// The Prometheus view could not be built.
    #[error("metrics: {0}")]
    Metrics(#[from] OTelSdkError),
    /// Telemetry, or another subscriber, is there already.
    #[error("logging was set up before: {0}")]
    Twice(#[from] TryInitError),
}

/// Running telemetry. Dropping it sends what is left, waiting at most a few seconds; keep it in `main` to the end.
#[derive(Debug)]
#[must_use = "dropping it ends telemetry"]
pub struct Telemetry {
    metrics: MetricsRegistry,
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

impl Telemetry {
    /// Sets logs, traces and metrics up for this process. Call it once, inside the Tokio runtime (gRPC needs it).
    pub fn start(config: &TelemetryConfig, service: Service) -> Result<Self, TelemetryError> {
        let resource = resource(config, service);
        let metrics = match config.target(Signal::Metrics) {
            Some(target) => Some(metric_exporter(&target).map_err(|source| TelemetryError::Exporter {
                signal: Signal::Metrics,
                source,
            })?),
            None => None,
        };
        let metrics = MetricsRegistry::build(resource.clone(), metrics)?;
        let traces = match config.target(Signal::Traces) {
            Some(target) => {
                let exporter = span_exporter(&target).map_err(|source| TelemetryError::Exporter {
                    signal: Signal::Traces,
                    source,
                })?;
                Some(
                    SdkTracerProvider::builder()
                        .with_resource(resource.clone())
                        .with_batch_exporter(exporter)
                        .build(),
                )
            }
            None => None,
        };
        let logs = match config.target(Signal::Logs) {
            Some(target) => {
                let exporter = log_exporter(&target).map_err(|source| TelemetryError::Exporter {
                    signal: Signal::Logs,
                    source,
                })?;
                Some(
                    SdkLoggerProvider::builder()
                        .with_resource(resource)
                        .with_batch_exporter(exporter)
                        .build(),
                )
            }
            None => None,
        };

        let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
        // First, so that its context is current when a line is written.
        if let Some(provider) = &traces {
            let layer = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("recap"))
                .with_location(false)
                .with_threads(false);
            layers.push(
                layer
                    .with_filter(EnvFilter::try_new(format!("{TRACED},{QUIET}"))?)
                    .boxed(),
            );
            propagation::enable();
        }
        layers.push(DatabaseSpans::new(&metrics.meter()).layer());
        layers.push(
            log_layer(config, service.logs)
                .with_filter(EnvFilter::try_new(&config.log)?)
                .boxed(),
        );
        if let Some(provider) = &logs {
            let filter = EnvFilter::try_new(format!("{},{QUIET}", config.log))?;
            layers.push(OpenTelemetryTracingBridge::new(provider).with_filter(filter).boxed());
        }
        tracing_subscriber::registry().with(layers).try_init()?;
        for warning in config.warnings() {
            tracing::warn!(warning, "a variable of OpenTelemetry is not understood");
        }
        Ok(Self { metrics, traces, logs })
    }

    /// The meter for [`crate::ProjectorMetrics`] and its like.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.metrics.meter()
    }

    /// For `/metrics`.
    #[must_use]
    pub fn registry(&self) -> &MetricsRegistry {
        &self.metrics
    }

    /// Sends everything recorded so far and waits for it.
    pub fn flush(&self) {
        report(
            "traces",
            self.traces.as_ref().map_or(Ok(()), SdkTracerProvider::force_flush),
        );
        report("metrics", self.metrics.provider().force_flush());
        report(
            "logs",
            self.logs.as_ref().map_or(Ok(()), SdkLoggerProvider::force_flush),
        );
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        report(
            "traces",
            self.traces
                .as_ref()
                .map_or(Ok(()), |traces| traces.shutdown_with_timeout(SHUTDOWN)),
        );
        report("metrics", self.metrics.provider().shutdown_with_timeout(SHUTDOWN));
        report(
            "logs",
            self.logs
                .as_ref()
                .map_or(Ok(()), |logs| logs.shutdown_with_timeout(SHUTDOWN)),
        );
    }
}

fn report(signal: &'static str, result: Result<(), OTelSdkError>) {
    if let Err(error) = result {
        tracing::warn!(signal, %error, "telemetry not sent whole");
    }
}

fn resource(config: &TelemetryConfig, service: Service) -> Resource {
    // What the environment sets wins over what follows only where it is left out here.
    let given = Resource::builder().build();
    let name = config
        .otel_service_name
        .clone()
        .or_else(|| {
            given
                .get(&SERVICE_NAME.into())
                .map(|name| name.to_string())
                .filter(|name| !name.starts_with("unknown_service"))
        })
        .unwrap_or_else(|| service.name.to_owned());
    let instance = given
        .get(&SERVICE_INSTANCE_ID.into())
        .map_or_else(instance_id, |id| id.to_string());
    let namespace = given
        .get(&SERVICE_NAMESPACE.into())
        .map_or_else(|| "recap".to_owned(), |namespace| namespace.to_string());
    Resource::builder()
        .with_service_name(name)
        .with_attributes([
            KeyValue::new(SERVICE_NAMESPACE, namespace),
            KeyValue::new(SERVICE_VERSION, service.version),
            KeyValue::new(SERVICE_INSTANCE_ID, instance),
        ])
        .build()
}

/// The pod's or container's name where the environment has one, with the process's start: unique among instances and restarts.
fn instance_id() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "process".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "a part of a name; telemetry stands below `recap_service`"
    )]
    let started = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    format!("{host}-{}-{started}", std::process::id())
}

fn log_layer(config: &TelemetryConfig, output: LogOutput) -> Box<dyn Layer<Registry> + Send + Sync> {
    let (terminal, writer): (bool, fn() -> Box<dyn io::Write>) = match output {
        LogOutput::Stdout => (io::stdout().is_terminal(), || Box::new(io::stdout())),
        LogOutput::Stderr => (io::stderr().is_terminal(), || Box::new(io::stderr())),
    };
    let human = match config.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    if human {
        layer.with_ansi(terminal).compact().boxed()
    } else {
        layer
            .with_ansi(false)
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(JsonLog)
            .boxed()
    }
}

fn metric_exporter(target: &Target) -> Result<MetricExporter, ExporterBuildError> {
    match target.protocol {
        OtlpProtocol::Grpc => with_tls(with_endpoint(MetricExporter::builder().with_tonic(), target), target).build(),
        OtlpProtocol::HttpProtobuf => {
            with_client(with_endpoint(MetricExporter::builder().with_http(), target), target)?.build()
        }
    }
}

fn span_exporter(target: &Target) -> Result<SpanExporter, ExporterBuildError> {
    match target.protocol {
        OtlpProtocol::Grpc => with_tls(with_endpoint(SpanExporter::builder().with_tonic(), target), target).build(),
        OtlpProtocol::HttpProtobuf => {
            with_client(with_endpoint(SpanExporter::builder().with_http(), target), target)?.build()
        }
    }
}

fn log_exporter(target: &Target) -> Result<LogExporter, ExporterBuildError> {
    match target.protocol {
        OtlpProtocol::Grpc => with_tls(with_endpoint(LogExporter::builder().with_tonic(), target), target).build(),
        OtlpProtocol::HttpProtobuf => {
            with_client(with_endpoint(LogExporter::builder().with_http(), target), target)?.build()
        }
    }
}

fn with_endpoint<B: WithExportConfig>(builder: B, target: &Target) -> B {
    let builder = builder.with_protocol(match target.protocol {
        OtlpProtocol::Grpc => opentelemetry_otlp::Protocol::Grpc,
        OtlpProtocol::HttpProtobuf => opentelemetry_otlp::Protocol::HttpBinary,
    });
    match &target.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    }
}

/// The system's certificates for `https`, unless others are given; gRPC brings none of its own.
fn with_tls<B: WithTonicConfig>(builder: B, target: &Target) -> B {
    if !target.is_https() {
        return builder;
    }
    let tls = match &target.tls.certificates {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    builder.with_tls_config(match &target.tls.identity {
        Some(own) => tls.identity(Identity::from_pem(&own.certificate, &own.key)),
        None => tls,
    })
}

/// HTTP finds the system's certificates by itself, and is told of others.
fn with_client<B: WithHttpConfig>(builder: B, target: &Target) -> Result<B, ExporterBuildError> {
    if !target.is_https() || target.tls == OtlpTls::default() {
        return Ok(builder);
    }
    let (tls, timeout) = (target.tls.clone(), target.timeout);
    // A blocking client may not be made on a thread of an asynchronous runtime.
    let made = std::thread::spawn(move || blocking_client(&tls, timeout)).join();
    match made {
        Ok(Ok(client)) => Ok(builder.with_http_client(client)),
        Ok(Err(error)) => Err(unusable(&error)),
        Err(_) => Err(unusable(&"making an HTTP client panicked")),
    }
}

fn unusable(cause: &dyn std::fmt::Display) -> ExporterBuildError {
    ExporterBuildError::InvalidConfiguration(format!("certificates or a key that cannot be used: {cause}"))
}

fn blocking_client(tls: &OtlpTls, timeout: Duration) -> reqwest::Result<reqwest::blocking::Client> {
    let mut client = reqwest::blocking::Client::builder().timeout(timeout);
    if let Some(pem) = &tls.certificates {
        client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem)?);
    }
    if let Some(own) = &tls.identity {
        let both = [own.certificate.as_slice(), b"\n", own.key.as_slice()].concat();
        client = client.identity(reqwest::Identity::from_pem(&both)?);
    }
    client.build()
}

/// Warnings and errors on standard error, a line each without time and place, for tools that are no service. Nothing happens where
/// logging is set up already.
pub fn warnings_on_stderr() {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .with_filter(LevelFilter::WARN);
    // A subscriber that is there already hears the same.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}
