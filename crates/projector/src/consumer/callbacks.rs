//! What librdkafka calls back inside `poll`, kept until the consumer thread asks for it.
//!
//! librdkafka lets the answer to a rebalance come later, so nothing is decided in a callback: the consumer thread owns all bookkeeping, without a
//! lock. Only when the client is being closed nobody asks any more, and partitions are given up here.

use std::{
    mem::take,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use recap_telemetry::ProjectorMetrics;

use super::error::error_name;

/// What happened to the member.
#[derive(Debug)]
pub(crate) enum ClientEvent {
    /// The group assigns partitions.
    Assigned(TopicPartitionList),
    /// The group takes partitions away.
    Revoked {
        partitions: TopicPartitionList,
        /// They may belong to another member already.
        lost: bool,
    },
    /// Figures of the client.
    Statistics(Box<Statistics>),
}

/// The context of the group's client.
pub(super) struct Callbacks {
    events: Mutex<Vec<ClientEvent>>,
    /// The client is being closed.
    pub closing: AtomicBool,
    metrics: ProjectorMetrics,
}

impl Callbacks {
    pub fn new(metrics: ProjectorMetrics) -> Self {
        Self {
            events: Mutex::default(),
            closing: AtomicBool::new(false),
            metrics,
        }
    }

    pub fn take_events(&self) -> Vec<ClientEvent> {
        take(&mut self.events())
    }

    fn events(&self) -> MutexGuard<'_, Vec<ClientEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Callbacks {
    fn stats(&self, statistics: Statistics) {
        self.events().push(ClientEvent::Statistics(Box::new(statistics)));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.metrics.kafka_error(error_name(code));
        }
        // librdkafka logs it too, and less often.
        tracing::debug!(%error, reason, "Kafka client");
    }
}

impl ConsumerContext for Callbacks {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            self.metrics.kafka_error("commit");
            tracing::warn!(%error, "offsets not committed; the client tries again at its interval");
        }
    }

    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        if self.closing.load(Ordering::Relaxed) {
            let given_up = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
                _ => consumer.unassign(),
            };
            match given_up {
                Ok(()) => tracing::info!(partitions = partitions.count(), "partitions revoked: the group is left"),
                Err(error) => tracing::debug!(%error, "partitions not given up on closing"),
            }
            return;
        }
        let partitions = partitions.clone();
        self.events().push(match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => ClientEvent::Assigned(partitions),
            _ => ClientEvent::Revoked {
                partitions,
                lost: consumer.assignment_lost(),
            },
        });
    }
}
