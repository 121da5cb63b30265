//! librdkafka's options for the consumer and the producer of dead letters.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::{Settings, settings::GroupProtocol};

const CLIENT_ID: &str = "recap-projector";

/// Larger than any record a broker takes by default, so that a dead letter with its headers fits as far as the broker lets it.
const PRODUCER_MESSAGE_MAX: &str = "104857600";

/// How long a dead letter is tried by one producer before another takes its place; librdkafka's own five minutes are long for a partition that waits.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of one fetch, as compressed by the producers.
const FETCH_BYTES: &str = "4194304";

impl Settings {
    pub(crate) fn consumer_config(&self) -> ClientConfig {
        self.cluster.client_with(|config| self.configure_consumer(config))
    }

    fn configure_consumer(&self, config: &mut ClientConfig) {
        config
            .set("client.id", CLIENT_ID)
            .set("group.id", &*self.group)
            // Commits only what the projector stores, which it does after the rows are committed.
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", millis(self.commit_interval))
            .set("enable.auto.offset.store", "false")
            // Reading begins where the projector says; an offset that is not there is a loss to be reported.
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("topic.metadata.refresh.interval.ms", millis(self.topic_refresh))
            .set("statistics.interval.ms", "5000")
            .set(
                "queued.max.messages.kbytes",
                (self.kafka_queue_bytes / 1024).clamp(1, 2_097_151).to_string(),
            )
            // With a backlog a fetch is a long run of one partition, not a little of each: it holds many events of few conversations, which
            // become few rows. (A record larger than this is fetched all the same, KIP-74.)
            .set("fetch.max.bytes", FETCH_BYTES)
            .set("fetch.message.max.bytes", FETCH_BYTES)
            // A full queue is the normal state of a backlog; the default of one second would let it run empty.
            .set("fetch.queue.backoff.ms", "20")
            .set("fetch.error.backoff.ms", "200");
        match self.protocol {
            GroupProtocol::Classic => config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", millis(self.session_timeout))
                // Also how long a rebalance waits for a member that is there and does not join again (KIP-62).
                .set("max.poll.interval.ms", millis(self.max_poll_interval()))
                .set(
                    "heartbeat.interval.ms",
                    millis((self.session_timeout / 10).min(Duration::from_secs(3))),
                ),
            // librdkafka refuses the classic protocol's options here: the broker decides.
            GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
        };
        if let Some(id) = &self.instance_id {
            config.set("group.instance.id", id);
        }
    }

    pub(crate) fn producer_config(&self) -> ClientConfig {
        self.cluster.client_with(|config| {
            config
                .set("client.id", CLIENT_ID)
                .set("enable.idempotence", "true")
                .set("acks", "all")
                .set("compression.type", "zstd")
                .set("linger.ms", "5")
                .set("message.max.bytes", PRODUCER_MESSAGE_MAX)
                .set("message.timeout.ms", millis(DELIVERY_TIMEOUT))
                .set("queue.buffering.max.kbytes", "32768");
        })
    }

    /// Options of clients that only ask and administer.
    pub(crate) fn admin_config(&self) -> ClientConfig {
        self.cluster.client_with(|config| {
            config.set("client.id", CLIENT_ID);
        })
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use rdkafka::{consumer::BaseConsumer, producer::FutureProducer};

    use crate::tests::settings;

    #[test]
    fn librdkafka_accepts_the_options_of_both_protocols_and_of_the_producer() {
        for protocol in ["classic", "consumer"] {
            let settings = settings(&[&format!("--group-protocol={protocol}")]);
            let _consumer: BaseConsumer = settings.consumer_config().create().unwrap();
            let _producer: FutureProducer = settings.producer_config().create().unwrap();
        }
    }
}
