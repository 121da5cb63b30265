//! Kafka inside this process: librdkafka's built-in cluster. It lives in a producer that is kept for that.

use anyhow::Context as _;
use rdkafka::{
    ClientConfig,
    producer::{DefaultProducerContext, Producer as _, ThreadedProducer},
};
use recap_log::Topic;

/// The built-in cluster keeps 5 MB of each partition, so a backlog spreads over several.
const PARTITIONS: i32 = 8;

/// A running built-in cluster; it ends when this is dropped.
pub struct EmbeddedKafka {
    bootstrap_servers: String,
    _cluster: ThreadedProducer<DefaultProducerContext>,
}

impl EmbeddedKafka {
    /// Starts one broker with the default topics.
    pub fn start(dead_letter_topic: &str) -> anyhow::Result<Self> {
        let cluster: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            // It says at every start that it is not for production.
            .set("log_level", "3")
            .create()
            .context("the Kafka inside this process cannot start")?;
        let bootstrap_servers = {
            let broker = cluster
                .client()
                .mock_cluster()
                .context("this build of librdkafka has no built-in cluster")?;
            for topic in Topic::ALL.map(Topic::name).into_iter().chain([dead_letter_topic]) {
                broker.create_topic(topic, PARTITIONS, 1)?;
            }
            broker.bootstrap_servers()
        };
        Ok(Self {
            bootstrap_servers,
            _cluster: cluster,
        })
    }

    /// The value for `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }
}
