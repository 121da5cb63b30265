//! The log that `rebuild` and `archive` read: the projector's topics and group.

use clap::Args;
use recap_replay::log::LogConfig;

use crate::kafka::Kafka;

/// Which topics make up the log, and who projects them.
#[derive(Clone, Debug, Args)]
pub struct LogSource {
    #[command(flatten)]
    kafka: Kafka,

    /// Topics of the log
    #[arg(
        long,
        env = "RECAP_TOPICS",
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "recap.conversations,recap.messages,recap.feedback,recap.tool-calls,recap.users,recap.agents"
    )]
    topics: Vec<String>,

    /// Consumer group of the live projector; its offsets are read, never changed
    #[arg(
        long,
        env = "RECAP_CONSUMER_GROUP",
        value_name = "NAME",
        default_value = "recap-projector"
    )]
    consumer_group: String,
}

impl LogSource {
    /// What a reader of the log needs.
    pub fn config(&self) -> anyhow::Result<LogConfig> {
        Ok(LogConfig {
            client: self.kafka.client_config()?,
            topics: self.topics.clone(),
            group: self.consumer_group.clone(),
        })
    }
}
