//! What the cluster's access control does not allow, by operation and resource, as an operator has to grant it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{Log, LogError, complaints::Complaints};

const TIMEOUT: Duration = Duration::from_secs(5);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// An operation on a resource that is not allowed (`kafka-acls.sh --operation … --topic …`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} on {kind} `{name}` is not allowed: grant it to recap's principal")]
pub struct MissingRight {
    /// `READ`, `WRITE`, `DESCRIBE`, `CREATE`.
    pub operation: &'static str,
    /// `topic` or `group`.
    pub kind: &'static str,
    /// The resource's name.
    pub name: String,
}

impl MissingRight {
    /// On a topic.
    #[must_use]
    pub fn on_topic(operation: &'static str, name: &str) -> Self {
        Self {
            operation,
            kind: "topic",
            name: name.to_owned(),
        }
    }

    /// On a consumer group.
    #[must_use]
    pub fn on_group(operation: &'static str, name: &str) -> Self {
        Self {
            operation,
            kind: "group",
            name: name.to_owned(),
        }
    }
}

/// Whether an error says that something is not allowed.
#[must_use]
pub fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
        )
    )
}

/// What this principal may not do of what reading the log takes: each topic is asked for and read, and the group's offsets are asked for.
/// Blocks while the brokers are asked.
pub fn missing_rights(log: &Log) -> Result<Vec<MissingRight>, LogError> {
    let config = log.cluster.client_with(|config| {
        config
            .set("group.id", &*log.group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
    });
    let mut missing = Vec::new();
    for topic in &*log.topics {
        // The end of a partition names no topic, so each topic has a client of its own.
        let client: BaseConsumer<Complaints> = config
            .create_with_context(Complaints::default())
            .map_err(LogError::kafka("create a consumer"))?;
        if let Some(operation) = missing_on_topic(&client, topic)? {
            missing.push(MissingRight::on_topic(operation, topic));
        }
    }
    let client: BaseConsumer<Complaints> = config
        .create_with_context(Complaints::default())
        .map_err(LogError::kafka("create a consumer"))?;
    if is_group_refused(&client, &log.topics) {
        missing.push(MissingRight::on_group("READ", &log.group));
    }
    Ok(missing)
}

fn is_group_refused(client: &BaseConsumer<Complaints>, topics: &[Arc<str>]) -> bool {
    let mut any = TopicPartitionList::new();
    if let Some(topic) = topics.first() {
        any.add_partition(topic, 0);
    }
    let Err(error) = client.committed_offsets(any, TIMEOUT) else {
        return false;
    };
    // Without the right to describe it there is no coordinator to ask, which the client says elsewhere and only while polled.
    drop(client.poll(Duration::ZERO));
    is_refusal(&error) || client.context().last_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
}

fn missing_on_topic(client: &BaseConsumer<Complaints>, topic: &str) -> Result<Option<&'static str>, LogError> {
    let metadata = client
        .fetch_metadata(Some(topic), TIMEOUT)
        .map_err(LogError::kafka("read a topic's metadata"))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if found
        .and_then(rdkafka::metadata::MetadataTopic::error)
        .map(RDKafkaErrorCode::from)
        == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
    {
        return Ok(Some("DESCRIBE and READ"));
    }
    let Some(partition) = found.and_then(|found| found.partitions().first()) else {
        return Ok(None);
    };
    let mut end = TopicPartitionList::new();
    end.add_partition_offset(topic, partition.id(), Offset::End)
        .map_err(LogError::kafka("choose a partition"))?;
    client.assign(&end).map_err(LogError::kafka("choose a partition"))?;
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        let Some(Err(error)) = client.poll(POLL_TIMEOUT) else {
            continue;
        };
        match error {
            KafkaError::PartitionEOF(_) => return Ok(None),
            error if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Ok(Some("READ"));
            }
            // Of the group, or on the way to the brokers.
            _ => {}
        }
    }
    Ok(None)
}
