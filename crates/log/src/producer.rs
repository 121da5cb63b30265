//! A producer that is replaced where it would deliver nothing any more.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::{
    ClientConfig,
    error::{KafkaError, KafkaResult},
    producer::{FutureProducer, Producer as _},
    types::RDKafkaErrorCode,
};

/// A producer, and how to make another.
///
/// Some producers are of no more use, however often one tries again: an idempotent one that has lost its sequence (a fatal error), and one of which each record
/// times out (`message.timeout.ms`) although the brokers are there. librdkafka does that when an answer has named no broker
/// ([5301](https://github.com/confluentinc/librdkafka/issues/5301)), and may do it to a topic that was created anew while another broker came to lead it: it
/// ignores leaders whose epochs are below those that it knows (2.12.1, `rd_kafka_toppar_leader_update`).
pub struct RenewedProducer {
    config: ClientConfig,
    producer: Mutex<FutureProducer>,
}

impl RenewedProducer {
    /// A producer; it connects by itself.
    pub fn new(config: ClientConfig) -> KafkaResult<Self> {
        let producer = Mutex::new(config.create()?);
        Ok(Self { config, producer })
    }

    /// The producer of this moment. What it has under way is delivered as long as the answer is kept.
    pub fn get(&self) -> FutureProducer {
        self.current().clone()
    }

    /// Looks at an error of a producer got from here: after one that trying again would not end there is another producer. What the old one has not
    /// delivered is to be sent again.
    pub fn failed(&self, used: &FutureProducer, error: &KafkaError) {
        let is_lost = used.client().fatal_error().is_some()
            || error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut);
        let mut current = self.current();
        // Many records fail at once, and one new producer is enough.
        let is_current = current.client().native_ptr() == used.client().native_ptr();
        if is_lost && is_current {
            match self.config.create() {
                Ok(replacement) => *current = replacement,
                Err(error) => tracing::error!(%error, "no new Kafka producer in place of one that delivers nothing"),
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, FutureProducer> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
