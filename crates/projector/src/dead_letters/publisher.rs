//! Publishing dead letters: idempotent, and acknowledged before anyone may go on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::stream::{self, StreamExt};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    config::ClientConfig,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::Header,
    producer::{FutureProducer, FutureRecord, Producer},
};
use recap_service::backoff::Backoff;
use recap_telemetry::{ProjectorMetrics, names::span};
use tracing::Instrument;

use super::{
    DeadLetter,
    format::{OFFSET, PARTITION, TOPIC, VALUE_OMITTED},
};
use crate::{Settings, health::Health};

/// Dead letters under way at once, of one batch.
const CONCURRENCY: usize = 256;
/// How long one attempt waits for room in the producer's queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends dead letters, however long the brokers are away.
pub(crate) struct Publisher {
    topic: String,
    producer_config: ClientConfig,
    admin_config: ClientConfig,
    producer: Mutex<FutureProducer>,
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
        let producer_config = settings.producer_config();
        Ok(Self {
            topic: settings.dead_letter_topic.clone(),
            producer: Mutex::new(producer_config.create()?),
            producer_config,
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
            while let Err(error) = self.try_publish(&letter).await {
                if error == KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)
                    && letter.value.is_some()
                {
                    self.omit_value(&mut letter);
                    continue;
                }
                tracing::warn!(%error, topic = self.topic, "a dead letter is not acknowledged yet; trying again");
                self.health.dead_letters(Some(error.to_string()));
                self.mend(&error).await;
                backoff.wait().await;
            }
            self.health.dead_letters(None);
            self.metrics.dead_lettered(letter.reason);
        }
        .instrument(span)
        .await;
    }

    async fn try_publish(&self, letter: &DeadLetter) -> KafkaResult<()> {
        let producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let record = FutureRecord::<[u8], [u8]> {
            topic: &self.topic,
            partition: None,
            payload: letter.value.as_deref(),
            key: letter.key.as_deref(),
            timestamp: letter.timestamp,
            headers: Some(letter.headers.clone()),
        };
        match producer.send(record, QUEUE_TIMEOUT).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }

    /// Topic, partition and offset of the original stay known, which is all that fits.
    fn omit_value(&self, letter: &mut DeadLetter) {
        tracing::warn!(
            topic = letter.topic,
            partition = letter.partition,
            offset = letter.offset,
            "too large for {}; dead-lettered without its value, which is where {TOPIC}, {PARTITION} and {OFFSET} say",
            self.topic
        );
        letter.value = None;
        letter.headers = letter.headers.clone().insert(Header {
            key: VALUE_OMITTED,
            value: Some("true"),
        });
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
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        // An idempotent producer that lost its sequence is of no more use; what it had not delivered is sent again.
        if producer.client().fatal_error().is_some() {
            match self.producer_config.create() {
                Ok(replacement) => *producer = replacement,
                Err(error) => tracing::error!(%error, "no new producer for dead letters"),
            }
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
