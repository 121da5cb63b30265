//! Publishing dead letters: idempotent, and acknowledged before anyone may go on.

use std::{sync::Arc, time::Duration};

use futures::stream::{self, StreamExt};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    config::ClientConfig,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::FutureRecord,
};
use recap_log::{MissingRight, RenewedProducer, is_refusal};
use recap_service::backoff::Backoff;
use recap_telemetry::{ProjectorMetrics, names::span};
use tracing::Instrument;

use super::{
    DeadLetter,
    format::{OFFSET, PARTITION, TOPIC},
};
use crate::{Settings, health::Health};

/// Dead letters under way at once, of one batch.
const CONCURRENCY: usize = 256;
/// How long one attempt waits for room in the producer's queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends dead letters, however long the brokers are away.
pub(crate) struct Publisher {
    topic: String,
    admin_config: ClientConfig,
    producer: RenewedProducer,
    /// A broker's limit is that of a batch: this one makes none.
    single: RenewedProducer,
    metrics: ProjectorMetrics,
    health: Arc<Health>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    pub fn new(settings: &Settings, metrics: ProjectorMetrics, health: Arc<Health>) -> KafkaResult<Self> {
        let config = settings.producer_config();
        let mut single = config.clone();
        single.set("batch.num.messages", "1");
        Ok(Self {
            topic: settings.dead_letter_topic.clone(),
            producer: RenewedProducer::new(config)?,
            single: RenewedProducer::new(single)?,
            admin_config: settings.admin_config(),
            metrics,
            health,
        })
    }

    /// Publishes all of these; returns once the broker has acknowledged every one.
    pub async fn publish(&self, letters: Vec<DeadLetter>) {
        stream::iter(letters)
            .map(|letter| self.publish_one(letter))
            .buffer_unordered(CONCURRENCY)
            .collect::<()>()
            .await;
    }

    async fn publish_one(&self, mut letter: DeadLetter) {
        let span = tracing::info_span!("dead_letter", otel.name = span::DEAD_LETTER, reason = letter.reason);
        async {
            tracing::warn!(
                topic = letter.topic,
                partition = letter.partition,
                offset = letter.offset,
                reason = letter.reason,
                "dead-lettered"
            );
            let mut backoff = Backoff::new();
            let (mut producer, mut is_alone) = (&self.producer, false);
            while let Err(error) = self.try_publish(producer, &letter).await {
                if is_too_large(&error) {
                    let was_alone = is_alone;
                    (producer, is_alone) = (&self.single, true);
                    if !was_alone || self.omit_a_part(&mut letter) {
                        continue;
                    }
                }
                tracing::warn!(%error, topic = self.topic, "a dead letter is not acknowledged yet; trying again");
                self.health.dead_letters(Some(self.trouble(&error)));
                self.mend(&error).await;
                backoff.wait().await;
            }
            self.health.dead_letters(None);
            self.metrics.dead_lettered(letter.reason);
        }
        .instrument(span)
        .await;
    }

    async fn try_publish(&self, renewed: &RenewedProducer, letter: &DeadLetter) -> KafkaResult<()> {
        let record = FutureRecord::<[u8], [u8]> {
            topic: &self.topic,
            partition: None,
            payload: letter.value.as_deref(),
            key: letter.key.as_deref(),
            timestamp: None,
            headers: Some(letter.headers()),
        };
        let producer = renewed.get();
        match producer.send(record, QUEUE_TIMEOUT).await {
            Ok(_) => Ok(()),
            Err((error, _)) => {
                renewed.failed(&producer, &error);
                Err(error)
            }
        }
    }

    fn trouble(&self, error: &KafkaError) -> String {
        if is_refusal(error) {
            MissingRight::on_topic("WRITE", &self.topic).to_string()
        } else {
            error.to_string()
        }
    }

    /// Whether there was still something to leave out.
    fn omit_a_part(&self, letter: &mut DeadLetter) -> bool {
        let Some(part) = letter.omit_a_part() else {
            return false;
        };
        tracing::warn!(
            topic = letter.topic,
            partition = letter.partition,
            offset = letter.offset,
            "too large for {}; dead-lettered without its {part}, which is where {TOPIC}, {PARTITION} and {OFFSET} say",
            self.topic
        );
        true
    }

    /// Does what it can about an error that trying again alone would not end.
    async fn mend(&self, error: &KafkaError) {
        if matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownPartition
            )
        ) {
            self.create_topic().await;
        }
    }

    /// Creates the topic with the broker's defaults. One that exists is left as it is.
    pub async fn create_topic(&self) {
        let client: AdminClient<DefaultClientContext> = match self.admin_config.create() {
            Ok(client) => client,
            Err(error) => return tracing::warn!(%error, "no Kafka admin client"),
        };
        let topic = NewTopic::new(&self.topic, -1, TopicReplication::Fixed(-1));
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(10)));
        match client.create_topics([&topic], &options).await {
            Ok(results) => {
                for result in results {
                    match result {
                        Ok(name) => tracing::info!(topic = name, "topic created"),
                        Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                        Err((name, RDKafkaErrorCode::TopicAuthorizationFailed)) => {
                            tracing::warn!("{}", MissingRight::on_topic("CREATE", &name));
                        }
                        Err((name, error)) => {
                            tracing::warn!(topic = name, %error, "topic not created");
                        }
                    }
                }
            }
            Err(error) => tracing::warn!(topic = self.topic, %error, "topic not created"),
        }
    }
}

/// Whether the record has to become smaller, by the client's limit or by the broker's.
fn is_too_large(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge)
    )
}
