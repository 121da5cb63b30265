//! How the tool reaches Kafka: the same two variables as the services.

use anyhow::{Context as _, ensure};
use clap::Args;
use rdkafka::ClientConfig;

/// Where Kafka is and what else its client should know.
#[derive(Clone, Debug, Args)]
pub struct Kafka {
    /// Brokers to begin with, `host:port` separated by commas
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", value_name = "HOSTS")]
    pub bootstrap_servers: Option<String>,

    /// Options for librdkafka (security among them)
    #[arg(
        long,
        env = "RECAP_KAFKA_OPTIONS",
        value_name = "KEY=VALUE,…",
        hide_env_values = true
    )]
    pub kafka_options: Option<String>,
}

impl Kafka {
    /// Settings that every client shares.
    pub fn client_config(&self) -> anyhow::Result<ClientConfig> {
        let servers = self
            .bootstrap_servers
            .as_deref()
            .context("no Kafka given: set KAFKA_BOOTSTRAP_SERVERS or --bootstrap-servers")?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers);
        for option in self.kafka_options.iter().flat_map(|options| options.split(',')) {
            let option = option.trim();
            if option.is_empty() {
                continue;
            }
            let (key, value) = option
                .split_once('=')
                .context("RECAP_KAFKA_OPTIONS holds an entry without `=`")?;
            ensure!(
                !key.trim().is_empty(),
                "RECAP_KAFKA_OPTIONS holds an entry without a name"
            );
            config.set(key.trim(), value.trim());
        }
        Ok(config)
    }
}
