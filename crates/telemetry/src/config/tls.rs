//! The files of OTLP's TLS: whose certificates are accepted, and the certificate that is shown.

use clap::Args;

use super::{Signal, lenient::Reading};

/// Files in PEM, by OpenTelemetry's own variables: a signal's own file stands in the place of the shared one.
#[derive(Debug, Clone, Default, Args)]
pub struct OtlpTlsConfig {
    /// File of the certificates (PEM) that an OTLP endpoint's is checked against, in place of the system's.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_certificate: Option<String>,
    /// The same for traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_traces_certificate: Option<String>,
    /// The same for metrics.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_metrics_certificate: Option<String>,
    /// The same for logs.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_logs_certificate: Option<String>,
    /// File of the certificate (PEM) that is shown to an OTLP endpoint.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_client_certificate: Option<String>,
    /// The same for traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_traces_client_certificate: Option<String>,
    /// The same for metrics.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_metrics_client_certificate: Option<String>,
    /// The same for logs.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", value_name = "FILE")]
    pub otel_exporter_otlp_logs_client_certificate: Option<String>,
    /// File of the key (PEM) of the certificate that is shown.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CLIENT_KEY", value_name = "FILE")]
    pub otel_exporter_otlp_client_key: Option<String>,
    /// The same for traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", value_name = "FILE")]
    pub otel_exporter_otlp_traces_client_key: Option<String>,
    /// The same for metrics.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", value_name = "FILE")]
    pub otel_exporter_otlp_metrics_client_key: Option<String>,
    /// The same for logs.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", value_name = "FILE")]
    pub otel_exporter_otlp_logs_client_key: Option<String>,
}

/// What the files hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OtlpTls {
    /// Accepted in place of the system's.
    pub certificates: Option<Vec<u8>>,
    /// The certificate to show, and its key.
    pub identity: Option<Identity>,
}

/// Who we are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl OtlpTlsConfig {
    pub(super) fn read(&self, signal: Signal, reading: &mut Reading) -> OtlpTls {
        let (name, certificates, certificate, key) = match signal {
            Signal::Traces => (
                "TRACES_",
                &self.otel_exporter_otlp_traces_certificate,
                &self.otel_exporter_otlp_traces_client_certificate,
                &self.otel_exporter_otlp_traces_client_key,
            ),
            Signal::Metrics => (
                "METRICS_",
                &self.otel_exporter_otlp_metrics_certificate,
                &self.otel_exporter_otlp_metrics_client_certificate,
                &self.otel_exporter_otlp_metrics_client_key,
            ),
            Signal::Logs => (
                "LOGS_",
                &self.otel_exporter_otlp_logs_certificate,
                &self.otel_exporter_otlp_logs_client_certificate,
                &self.otel_exporter_otlp_logs_client_key,
            ),
        };
        let mut file = |what: &str, own: &Option<String>, shared: &Option<String>, remedy: &str| {
            let own = reading.file(&format!("OTEL_EXPORTER_OTLP_{name}{what}"), own.as_ref(), remedy);
            own.or_else(|| reading.file(&format!("OTEL_EXPORTER_OTLP_{what}"), shared.as_ref(), remedy))
        };
        let system = "the system's certificates are used";
        let certificates = file(
            "CERTIFICATE",
            certificates,
            &self.otel_exporter_otlp_certificate,
            system,
        );
        let none = "no certificate is shown";
        let shared = &self.otel_exporter_otlp_client_certificate;
        let certificate = file("CLIENT_CERTIFICATE", certificate, shared, none);
        let key = file("CLIENT_KEY", key, &self.otel_exporter_otlp_client_key, none);
        if certificate.is_some() != key.is_some() {
            reading.incomplete(&format!("OTEL_EXPORTER_OTLP_{name}CLIENT_…"), none);
        }
        OtlpTls {
            certificates,
            identity: certificate
                .zip(key)
                .map(|(certificate, key)| Identity { certificate, key }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TelemetryConfig;

    fn config(tls: OtlpTlsConfig) -> TelemetryConfig {
        TelemetryConfig {
            otel_exporter_otlp_endpoint: Some("https://collector:4318".into()),
            tls,
            ..TelemetryConfig::default()
        }
    }

    #[test]
    fn a_file_of_certificates_that_is_not_there_is_named() {
        let config = config(OtlpTlsConfig {
            otel_exporter_otlp_certificate: Some("/nowhere/ca.pem".into()),
            ..OtlpTlsConfig::default()
        });
        let target = config.target(Signal::Logs);
        assert_eq!(target.map(|target| target.tls), Some(OtlpTls::default()));
        let warnings = config.warnings();
        assert!(warnings[0].contains("/nowhere/ca.pem"), "{warnings:?}");
    }

    #[test]
    fn a_file_of_something_else_and_a_certificate_without_its_key_are_warned_of() {
        let no_pem = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let config = config(OtlpTlsConfig {
            otel_exporter_otlp_metrics_certificate: Some(no_pem.into()),
            otel_exporter_otlp_client_key: Some(String::new()),
            otel_exporter_otlp_client_certificate: Some(
                concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/lenient.rs").into(),
            ),
            ..OtlpTlsConfig::default()
        });
        let warnings = config.warnings();
        assert!(
            warnings
                .iter()
                .any(|warning| warning.contains("Cargo.toml: holds nothing in PEM")),
            "{warnings:?}"
        );
        assert!(
            warnings.iter().any(|warning| warning.contains("needs a key")),
            "{warnings:?}"
        );
        assert!(
            config
                .target(Signal::Metrics)
                .is_some_and(|target| target.tls == OtlpTls::default())
        );
    }
}
