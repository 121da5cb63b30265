//! A Kafka cluster and the log it holds: how every client of it is configured.

use std::{fmt, sync::Arc};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use recap_events::MaxTimeAhead;
use recap_mapping::Mappings;
use recap_schema_registry::SchemaRegistry;
use secrecy::ExposeSecret as _;

use crate::options::Options;

/// A Kafka cluster as its clients reach it. Read from flags and variables by [`crate::KafkaArgs::cluster`].
#[derive(Clone)]
pub struct Cluster {
    bootstrap_servers: Arc<str>,
    options: Arc<Options>,
}

impl Cluster {
    /// A cluster without further options. `bootstrap_servers`: `host:port` separated by commas.
    pub fn at(bootstrap_servers: impl Into<Arc<str>>) -> Self {
        Self::with_options(bootstrap_servers, Options::new())
    }

    pub(crate) fn with_options(bootstrap_servers: impl Into<Arc<str>>, options: Options) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            options: Arc::new(options),
        }
    }

    /// The brokers to begin with, `host:port` separated by commas.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The configuration of a client that only asks and administers.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        self.client_with(|_| {})
    }

    /// The configuration of a client: what all clients share, then `settings`, then the operator's options, which are none
    /// of those that recap depends on.
    pub fn client_with(&self, settings: impl FnOnce(&mut ClientConfig)) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &*self.bootstrap_servers)
            .set("client.id", "recap")
            .set("reconnect.backoff.max.ms", "2000")
            .set("socket.keepalive.enable", "true")
            // librdkafka's debug contexts say what they have to say at this level only.
            .set_log_level(if self.options.contains_key("debug") {
                RDKafkaLogLevel::Debug
            } else {
                RDKafkaLogLevel::Info
            });
        settings(&mut config);
        // The OpenSSL and the curl that are built into librdkafka know no directory of this machine.
        for (location, pem) in [("ssl.ca.location", "ssl.ca.pem"), ("https.ca.location", "https.ca.pem")] {
            if !self.options.contains_key(pem) {
                config.set(location, "probe");
            }
        }
        for (key, value) in &*self.options {
            config.set(key, value.expose_secret());
        }
        config
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .finish_non_exhaustive()
    }
}

/// The log that recap projects: some topics of a cluster, and the consumer group that projects them. Read from flags and
/// variables by [`crate::LogArgs::log`].
#[derive(Debug, Clone)]
pub struct Log {
    /// Where it is.
    pub cluster: Cluster,
    /// The topics that make it up, without repetition.
    pub topics: Arc<[Arc<str>]>,
    /// The live projector's consumer group.
    pub group: Arc<str>,
    /// How far an event's time may lie after its record's timestamp.
    pub max_time_ahead: MaxTimeAhead,
    /// How records become events, in topics whose records are none.
    pub mappings: Mappings,
    /// Where the schemas are that values of mapped topics name.
    pub schema_registry: Option<SchemaRegistry>,
}

impl Log {
    /// These topics of a cluster and the group that projects them, with the default limit of times ahead without mappings and a schema registry.
    pub fn new<T: Into<Arc<str>>>(
        cluster: Cluster,
        topics: impl IntoIterator<Item = T>,
        group: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            cluster,
            topics: topics.into_iter().map(Into::into).collect(),
            group: group.into(),
            max_time_ahead: MaxTimeAhead::default(),
            mappings: Mappings::default(),
            schema_registry: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_option_counts_more_than_recaps_setting_and_is_not_shown() {
        let options = Options::from([
            ("linger.ms".to_owned(), "50".to_owned().into()),
            ("sasl.username".to_owned(), "hunter2".to_owned().into()),
        ]);
        let cluster = Cluster::with_options("kafka:9092", options);
        let config = cluster.client_with(|config| {
            config.set("linger.ms", "5").set("acks", "all");
        });
        assert_eq!(config.get("bootstrap.servers"), Some("kafka:9092"));
        assert_eq!(config.get("linger.ms"), Some("50"));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("ssl.ca.location"), Some("probe"));
        assert!(!format!("{cluster:?}").contains("hunter2"));
    }

    #[test]
    fn certificate_authorities_of_the_operator_stand_alone() {
        let options = Options::from([("ssl.ca.pem".to_owned(), "PEM".to_owned().into())]);
        let config = Cluster::with_options("kafka:9092", options).client();
        assert_eq!(config.get("ssl.ca.location"), None);
        let options = Options::from([("ssl.ca.location".to_owned(), "/ca".to_owned().into())]);
        let config = Cluster::with_options("kafka:9092", options).client();
        assert_eq!(config.get("ssl.ca.location"), Some("/ca"));
    }
}
