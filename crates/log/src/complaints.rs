//! What a client says between question and answer: why brokers cannot be reached.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use crate::LogError;

/// How long one question waits before the client is asked what is wrong.
const SLICE: Duration = Duration::from_secs(1);
/// How long a refusal may go on that does not pass by itself: a password, a certificate.
const REFUSED: Duration = Duration::from_secs(5);
/// First word about a wait, then every so often.
const SILENCE: Duration = Duration::from_secs(3);
const REMINDER: Duration = Duration::from_secs(10);

/// Keeps the last complaint of a client.
#[derive(Default)]
pub(crate) struct Complaints(Mutex<Option<Complaint>>);

#[derive(Clone)]
struct Complaint {
    code: Option<RDKafkaErrorCode>,
    reason: String,
}

impl Complaint {
    /// Whether the next try will be refused as well.
    fn stays(&self) -> bool {
        matches!(
            self.code,
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
        ) || self.reason.contains("SSL alert")
    }
}

impl Complaints {
    /// What the last complaint was about.
    pub(crate) fn last_code(&self) -> Option<RDKafkaErrorCode> {
        self.last()?.code
    }

    fn last(&self) -> Option<Complaint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Complaints {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // It only says that every broker has been complained of.
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            let complaint = Complaint {
                code,
                reason: reason.to_owned(),
            };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(complaint);
        }
    }
}

impl ConsumerContext for Complaints {}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Asks brokers until they answer, for `timeout` at most, and says while it waits what it waits for.
pub(crate) fn ask<T>(
    consumer: &BaseConsumer<Complaints>,
    servers: &str,
    timeout: Duration,
    question: impl Fn(Duration) -> KafkaResult<T>,
) -> Result<T, LogError> {
    let start = Instant::now();
    let mut next_word = SILENCE;
    loop {
        let error = match question(SLICE) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        // Complaints arrive only while somebody polls; there is nothing else to poll here.
        drop(consumer.poll(Duration::ZERO));
        let complaint = consumer.context().last();
        let waited = start.elapsed();
        let refused = complaint.as_ref().is_some_and(Complaint::stays) && waited > REFUSED;
        if refused || waited > timeout {
            let reason = complaint.map_or_else(|| error.to_string(), |complaint| complaint.to_string());
            return Err(LogError::Unreachable {
                servers: servers.to_owned(),
                seconds: waited.as_secs(),
                reason,
            });
        }
        if waited > next_word {
            next_word = waited + REMINDER;
            let reason = complaint.map_or_else(|| "no answer".to_owned(), |complaint| complaint.to_string());
            tracing::warn!(
                servers,
                seconds = waited.as_secs(),
                reason,
                "Kafka does not answer, waiting on"
            );
        }
    }
}
