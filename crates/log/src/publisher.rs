//! Publishes records with an idempotent producer.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientContext, Message as _,
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
    types::RDKafkaErrorCode,
};

use crate::{Cluster, MissingRight, is_refusal};

const FLUSH_TIMEOUT: Duration = Duration::from_mins(2);
/// Records between two polls for the brokers' acknowledgements.
const CHECK_EVERY: u64 = 256;

/// Why records are not in the log.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The client cannot be made.
    #[error("the Kafka producer cannot start: {0}")]
    Start(#[source] KafkaError),
    /// A record was refused before it was sent.
    #[error("Kafka refused a record: {0}")]
    Refused(#[source] KafkaError),
    /// Brokers refused records that were sent.
    #[error("Kafka refused {count} records, the last one because: {reason}")]
    Lost {
        /// How many.
        count: u64,
        /// Why the last one was.
        reason: String,
    },
    /// Brokers have not answered in time.
    #[error("Kafka has not acknowledged every record after {} s: {source}", FLUSH_TIMEOUT.as_secs())]
    NotAcknowledged {
        /// librdkafka's word.
        source: KafkaError,
    },
}

/// What the brokers said about the records sent so far.
#[derive(Clone, Debug, Default)]
struct Deliveries {
    acknowledged: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    last_refusal: Arc<Mutex<String>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = match result {
            Ok(_) => &self.acknowledged,
            Err((error, record)) => {
                let reason = if is_refusal(error) {
                    MissingRight::on_topic("WRITE", record.topic()).to_string()
                } else {
                    format!("{}: {error}", record.topic())
                };
                *self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner) = reason;
                &self.refused
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// An idempotent producer that waits while its queue is full.
pub struct Publisher {
    producer: BaseProducer<Deliveries>,
    deliveries: Deliveries,
    sent: u64,
}

impl Publisher {
    /// Makes a producer; it connects with the first record.
    pub fn connect(cluster: &Cluster) -> Result<Self, PublishError> {
        let deliveries = Deliveries::default();
        let config = cluster.client_with(|config| {
            config
                .set("enable.idempotence", "true")
                .set("linger.ms", "10")
                .set("batch.size", "262144")
                .set("message.max.bytes", "16777216")
                .set("compression.type", "zstd")
                .set("queue.buffering.max.messages", "200000")
                .set("queue.buffering.max.kbytes", "131072");
        });
        let producer = config
            .create_with_context(deliveries.clone())
            .map_err(PublishError::Start)?;
        Ok(Self {
            producer,
            deliveries,
            sent: 0,
        })
    }

    /// Queues one record; waits for room and reports refusals of earlier records. The record is as young as its publication:
    /// brokers drop records by age, and an event may be of last year.
    pub fn send(&mut self, topic: &str, key: &[u8], value: &[u8]) -> Result<(), PublishError> {
        self.send_record(BaseRecord::to(topic).key(key).payload(value))
    }

    /// As [`Self::send`], for a record with headers, a timestamp or parts missing.
    pub fn send_record(&mut self, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), PublishError> {
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => return Err(PublishError::Refused(error)),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(CHECK_EVERY) {
            self.producer.poll(Duration::ZERO);
            self.check_deliveries()?;
        }
        Ok(())
    }

    /// Lets a pause go by, then serves the producer's callbacks: waiting in `poll` would wake up for each of them.
    pub fn wait(&self, pause: Duration) {
        std::thread::sleep(pause);
        self.producer.poll(Duration::ZERO);
    }

    /// Returns once the brokers have acknowledged everything sent, after 2 minutes at most.
    pub fn flush(&self) -> Result<(), PublishError> {
        let flushed = self.producer.flush(FLUSH_TIMEOUT);
        flushed.map_err(|source| PublishError::NotAcknowledged { source })?;
        self.check_deliveries()
    }

    /// Records acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.deliveries.acknowledged.load(Ordering::Relaxed)
    }

    fn check_deliveries(&self) -> Result<(), PublishError> {
        match self.deliveries.refused.load(Ordering::Relaxed) {
            0 => Ok(()),
            count => Err(PublishError::Lost {
                count,
                reason: self
                    .deliveries
                    .last_refusal
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone(),
            }),
        }
    }
}
