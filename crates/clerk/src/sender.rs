//! Publishes profile events: done when the brokers have acknowledged every one.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use recap_log::{Cluster, MissingRight, RenewedProducer, is_refusal};
use recap_service::backoff::Backoff;

use crate::profile_event::ProfileEvent;

/// librdkafka gives a record up after this.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a record waits for room in the producer's queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The brokers have not acknowledged it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct NotAcknowledged {
    /// Why.
    pub reason: String,
    /// When to try again.
    pub again_after: Duration,
}

/// Since when the brokers are away, as far as anybody tried.
struct Away {
    until: Instant,
    reason: String,
    backoff: Backoff,
}

/// A producer of one topic.
pub(crate) struct Sender {
    topic: String,
    producer: RenewedProducer,
    away: Mutex<Option<Away>>,
}

impl Sender {
    /// A producer; it connects by itself.
    pub fn new(cluster: &Cluster, topic: &str) -> Result<Self, KafkaError> {
        // Neither order nor repetition matters for these events, so nothing is lost without an idempotent producer.
        let config = cluster.client_with(|config| {
            config
                .set("client.id", "recap-clerk")
                .set("acks", "all")
                .set("linger.ms", "5")
                .set("compression.type", "zstd")
                .set("allow.auto.create.topics", "false")
                .set("message.timeout.ms", ACKNOWLEDGE_TIMEOUT.as_millis().to_string());
        });
        Ok(Self {
            producer: RenewedProducer::new(config)?,
            topic: topic.to_owned(),
            away: Mutex::new(None),
        })
    }

    /// Publishes all of these and waits for the brokers. For a while after a failure it fails at once: what waits for brokers that are away
    /// waits at Clerk.
    pub async fn send(&self, events: &[ProfileEvent]) -> Result<(), NotAcknowledged> {
        if events.is_empty() {
            return Ok(());
        }
        if let Some(refused) = self.refuse() {
            return Err(refused);
        }
        let producer = self.producer.get();
        match try_join_all(events.iter().map(|event| self.send_one(&producer, event))).await {
            Ok(_) => {
                *self.away() = None;
                Ok(())
            }
            Err(error) => {
                self.producer.failed(&producer, &error);
                Err(self.failed(&error))
            }
        }
    }

    /// Why nothing is published just now, if so.
    pub fn trouble(&self) -> Option<String> {
        self.away().as_ref().map(|away| away.reason.clone())
    }

    async fn send_one(&self, producer: &FutureProducer, event: &ProfileEvent) -> Result<(), KafkaError> {
        let key = event.key();
        let headers = OwnedHeaders::new().insert(Header {
            key: "content-type",
            value: Some(CONTENT_TYPE),
        });
        let record = FutureRecord::to(&self.topic)
            .key(&key)
            .payload(&event.value)
            .headers(headers);
        producer
            .send(record, QUEUE_TIMEOUT)
            .await
            .map(drop)
            .map_err(|(error, _)| error)
    }

    fn refuse(&self) -> Option<NotAcknowledged> {
        let away = self.away();
        let away = away.as_ref()?;
        let again_after = away.until.checked_duration_since(Instant::now())?;
        Some(NotAcknowledged {
            reason: away.reason.clone(),
            again_after,
        })
    }

    fn failed(&self, error: &KafkaError) -> NotAcknowledged {
        let reason = if is_refusal(error) {
            MissingRight::on_topic("WRITE", &self.topic).to_string()
        } else if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut) {
            format!("no broker has acknowledged for {} s", ACKNOWLEDGE_TIMEOUT.as_secs())
        } else {
            error.to_string()
        };
        tracing::warn!(%error, topic = self.topic, "events are not acknowledged; Clerk is asked to send them again");
        let mut away = self.away();
        let mut backoff = away.take().map_or_else(Backoff::new, |away| away.backoff);
        let again_after = backoff.next().unwrap_or_default();
        *away = Some(Away {
            until: Instant::now() + again_after,
            reason: reason.clone(),
            backoff,
        });
        drop(away);
        NotAcknowledged { reason, again_after }
    }

    fn away(&self) -> std::sync::MutexGuard<'_, Option<Away>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
