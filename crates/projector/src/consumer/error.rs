//! Errors of the consumer: those that end it, and those that it outlives.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use recap_log::is_refusal;
use recap_telemetry::ProjectorMetrics;

use crate::health::Health;

/// An error that goes on is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Why the consumer thread ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The consumer could not be made or could not subscribe.
    #[error("the Kafka consumer cannot be started: {0}")]
    Start(#[source] KafkaError),
    /// librdkafka cannot go on, for one because another member took over this one's static id.
    #[error("the Kafka consumer failed for good: {0}")]
    Fatal(#[source] KafkaError),
    /// The client has no broker left that it could ask; a new one has the bootstrap servers.
    #[error("the Kafka client has forgotten every broker")]
    BrokersForgotten,
    /// The deadline of a shutdown passed before everything received was written. Nothing is lost: it is read again.
    #[error("shutdown deadline passed with {bytes} bytes of records not yet written; they will be read again")]
    DrainTimedOut {
        /// Bytes of records that were received and not written.
        bytes: usize,
    },
}

impl ConsumerError {
    /// Whether the group refuses this member because another has its static id.
    pub(super) fn is_fenced(&self) -> bool {
        matches!(
            self,
            Self::Fatal(KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId))
        )
    }
}

/// Counts the errors that the consumer outlives, and logs each kind now and then.
#[derive(Debug)]
pub(super) struct ErrorLog {
    metrics: ProjectorMetrics,
    health: Arc<Health>,
    logged: HashMap<&'static str, Instant>,
}

impl ErrorLog {
    pub fn new(metrics: ProjectorMetrics, health: Arc<Health>) -> Self {
        Self {
            metrics,
            health,
            logged: HashMap::new(),
        }
    }

    /// Whether brokers refuse to go on with a partition.
    ///
    /// # Errors
    /// What the consumer does not outlive.
    pub fn note(&mut self, error: KafkaError, now: Instant) -> Result<bool, ConsumerError> {
        let code = match &error {
            KafkaError::MessageConsumption(code) => *code,
            KafkaError::MessageConsumptionFatal(_) => return Err(ConsumerError::Fatal(error)),
            _ => return Ok(false),
        };
        if is_refusal(&error) {
            self.health.refused();
        }
        let name = error_name(code);
        self.metrics.kafka_error(name);
        let due = |last: &Instant| now.duration_since(*last) >= LOG_EVERY;
        if self.logged.get(name).is_none_or(due) {
            self.logged.insert(name, now);
            tracing::warn!(error = %code, "Kafka reports an error; the consumer goes on");
        }
        Ok(code == RDKafkaErrorCode::AutoOffsetReset)
    }
}

/// A stable name for metrics.
pub(super) fn error_name(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => "unknown-topic",
        RDKafkaErrorCode::AllBrokersDown => "all-brokers-down",
        RDKafkaErrorCode::BrokerTransportFailure => "transport",
        RDKafkaErrorCode::AutoOffsetReset => "offset-out-of-range",
        RDKafkaErrorCode::PollExceeded => "poll-exceeded",
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed => "not-authorized",
        _ => "other",
    }
}
