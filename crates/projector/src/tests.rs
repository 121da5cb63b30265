//! What the unit tests share: settings, metrics and records.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::sync::Arc;

use clap::Parser;
use rdkafka::{
    Message, Timestamp,
    message::{OwnedHeaders, OwnedMessage},
};
use recap_telemetry::{MetricsRegistry, ProjectorMetrics};

use crate::{ProjectorArgs, Settings, health::Health, intake::chunk::KafkaRecord};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    projector: ProjectorArgs,
}

/// Valid settings with these arguments.
pub(crate) fn settings(arguments: &[&str]) -> Settings {
    let needed = [
        "recap-projector",
        "--database-url=postgres://localhost/recap",
        "--kafka-bootstrap-servers=localhost:1",
    ];
    let command = Command::try_parse_from(needed.iter().chain(arguments)).unwrap();
    command.projector.settings().unwrap()
}

pub(crate) fn metrics() -> ProjectorMetrics {
    ProjectorMetrics::new(&MetricsRegistry::new().unwrap().meter())
}

pub(crate) fn health(settings: &Settings) -> Arc<Health> {
    Arc::new(Health::new(settings.max_poll_interval()))
}

impl KafkaRecord for OwnedMessage {
    fn detach_headers(&self) -> Option<OwnedHeaders> {
        self.headers().cloned()
    }
}

/// A record of the first partition of `topic`, keyed by the conversation.
pub(crate) fn record(topic: &str, offset: i64, conversation: &str) -> OwnedMessage {
    let value = format!(
        r#"{{"specversion": "1.0", "id": "e-{offset}", "source": "/test", "type": "message.upserted",
            "time": "2026-01-05T10:00:00.000Z", "data": {{"orgId": "org", "conversationId": "{conversation}",
            "messageId": "m-{offset}", "role": "user", "createdAt": "2026-01-05T10:00:00.000Z"}}}}"#
    );
    raw_record(topic, offset, conversation, &value)
}

/// A record with this value.
pub(crate) fn raw_record(topic: &str, offset: i64, key: &str, value: &str) -> OwnedMessage {
    let (value, key) = (Some(value.into()), Some(key.into()));
    OwnedMessage::new(
        value,
        key,
        topic.to_owned(),
        Timestamp::CreateTime(1_000),
        0,
        offset,
        None,
    )
}
