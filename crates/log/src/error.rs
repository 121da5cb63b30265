//! Why the log cannot be read.

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
