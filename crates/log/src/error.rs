//! Why the log cannot be read.

use std::sync::Arc;

use rdkafka::error::KafkaError;

use crate::MissingRight;

/// Why the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The broker or the client refused.
    #[error("cannot {action}: {source}")]
    Kafka {
        /// What was tried.
        action: &'static str,
        /// librdkafka's word.
        source: KafkaError,
    },
    /// No broker answers.
    #[error("Kafka at {servers} has not answered for {seconds} s: {reason}")]
    Unreachable {
        /// Where it was looked for.
        servers: String,
        /// How long.
        seconds: u64,
        /// librdkafka's last complaint.
        reason: String,
    },
    /// Access control refuses.
    #[error(transparent)]
    NotAllowed(#[from] MissingRight),
    /// A topic that was being read is another one now. This client goes on refusing what brokers say of it: librdkafka keeps the leader epochs of the one
    /// before (2.12.1, `rd_kafka_toppar_leader_update`), and those of a new topic begin at 0 again. A new reader is needed.
    #[error("topic {0} was deleted and created anew while it was read: run again")]
    Recreated(Arc<str>),
    /// Nothing arrived although offsets are left.
    #[error("no progress for {seconds} s with {missing} offsets left to read")]
    Stalled {
        /// How long nothing came.
        seconds: u64,
        /// Offsets left.
        missing: u64,
    },
}

impl LogError {
    pub(crate) fn kafka(action: &'static str) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Kafka { action, source }
    }
}
