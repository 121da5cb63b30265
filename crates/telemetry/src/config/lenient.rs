//! Reading OpenTelemetry's variables as its specification wants them read: an empty one is not set, letters' case does not matter, and what is not
//! understood is warned of and left out.

use std::collections::BTreeSet;

/// How a block of PEM begins (RFC 7468).
const PEM: &[u8] = b"-----BEGIN ";

/// OTLP's transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OtlpProtocol {
    /// Port 4317 by custom.
    Grpc,
    /// Port 4318 by custom.
    #[default]
    HttpProtobuf,
}

/// Where a signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exporter {
    /// To the OTLP endpoint.
    Otlp,
    /// Nowhere.
    None,
}

/// What was not understood so far.
#[derive(Debug, Default)]
pub(super) struct Reading(BTreeSet<String>);

impl Reading {
    pub fn warnings(self) -> Vec<String> {
        self.0.into_iter().collect()
    }

    fn warn(&mut self, variable: &str, value: &str, remedy: &str) {
        self.0.insert(format!("{variable}={value}: {remedy}"));
    }

    pub fn boolean(&mut self, variable: &str, value: Option<&String>) -> bool {
        let Some(value) = set(value) else {
            return false;
        };
        if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") {
            self.warn(variable, value, "neither true nor false; taken as false");
        }
        value.eq_ignore_ascii_case("true")
    }

    /// A list of exporters may be given.
    pub fn exporter(&mut self, variable: &str, value: Option<&String>) -> Option<Exporter> {
        let mut found = None;
        for name in set(value)?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case("otlp") {
                found = Some(Exporter::Otlp);
            } else if name.eq_ignore_ascii_case("none") {
                found = found.or(Some(Exporter::None));
            } else {
                self.warn(variable, name, "only otlp and none are known; left out");
            }
        }
        found
    }

    pub fn protocol(&mut self, variable: &str, value: Option<&String>) -> Option<OtlpProtocol> {
        let value = set(value)?;
        if value.eq_ignore_ascii_case("grpc") {
            return Some(OtlpProtocol::Grpc);
        }
        if !value.eq_ignore_ascii_case("http/protobuf") {
            self.warn(variable, value, "only grpc and http/protobuf are known; left out");
            return None;
        }
        Some(OtlpProtocol::HttpProtobuf)
    }

    pub fn endpoint(&mut self, variable: &str, value: Option<&String>) -> Option<String> {
        let value = set(value)?;
        if value.contains("://") {
            return Some(value.to_owned());
        }
        self.warn(variable, value, "has no scheme; taken as http://");
        Some(format!("http://{value}"))
    }

    /// A file of PEM blocks; `remedy` says what is done without it.
    pub fn file(&mut self, variable: &str, value: Option<&String>, remedy: &str) -> Option<Vec<u8>> {
        let path = set(value)?;
        match std::fs::read(path) {
            Ok(bytes) if bytes.windows(PEM.len()).any(|window| window == PEM) => return Some(bytes),
            Ok(_) => self.warn(variable, path, &format!("holds nothing in PEM; {remedy}")),
            Err(error) => self.warn(variable, path, &format!("{error}; {remedy}")),
        }
        None
    }

    /// A certificate without a key, or a key without a certificate.
    pub fn incomplete(&mut self, variables: &str, remedy: &str) {
        self.0.insert(format!(
            "{variables}: a certificate needs a key, and a key a certificate; {remedy}"
        ));
    }
}

fn set(value: Option<&String>) -> Option<&str> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty())
}
