//! What a topic holds and how far a consumer group is through it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    error::ServerError,
    kafka::{KafkaServer, blocking},
    record::Received,
};

const REQUEST: Duration = Duration::from_secs(30);
const READ: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(30);

/// Topic and partition.
pub type Partition = (String, i32);

impl KafkaServer {
    /// The records of these topics that the group has not committed yet. A topic that does not exist has none.
    pub async fn consumer_lag(&self, group: &str, topics: &[&str]) -> Result<i64, ServerError> {
        let committed = self.committed(group, topics).await?;
        let ends = self.watermarks(topics).await?;
        let lag = ends.iter().map(|(partition, (low, high))| {
            let done = committed.get(partition).copied().flatten();
            high - done.unwrap_or(*low)
        });
        Ok(lag.sum())
    }

    /// The group's committed offset of each partition of these topics.
    pub async fn committed(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<BTreeMap<Partition, Option<i64>>, ServerError> {
        let doing = format!("asking for the offsets of the group {group}");
        let consumer = self.reader(group)?;
        let topics = owned(topics);
        blocking(move || {
            let mut list = TopicPartitionList::new();
            for (topic, partition) in partitions(&consumer, &topics)? {
                list.add_partition(&topic, partition);
            }
            let committed = committed_offsets(&consumer, &list).map_err(ServerError::kafka(doing))?;
            Ok(committed
                .elements()
                .iter()
                .map(|entry| {
                    let offset = match entry.offset() {
                        Offset::Offset(offset) => Some(offset),
                        _ => None,
                    };
                    ((entry.topic().to_owned(), entry.partition()), offset)
                })
                .collect())
        })
        .await
    }

    /// The first offset and the one after the last of each partition of these topics.
    pub async fn watermarks(&self, topics: &[&str]) -> Result<BTreeMap<Partition, (i64, i64)>, ServerError> {
        let consumer = self.reader("recap-servers-watermarks")?;
        let topics = owned(topics);
        blocking(move || {
            partitions(&consumer, &topics)?
                .into_iter()
                .map(|(topic, partition)| {
                    let marks = watermarks(&consumer, &topic, partition)?;
                    Ok(((topic, partition), marks))
                })
                .collect()
        })
        .await
    }

    /// Every record that a topic holds at this moment, by partition and offset.
    pub async fn read_all(&self, topic: &str) -> Result<Vec<Received>, ServerError> {
        let consumer = self.reader("recap-servers-read-all")?;
        let topic = topic.to_owned();
        blocking(move || read_all(&consumer, &topic)).await
    }

    fn reader(&self, group: &str) -> Result<BaseConsumer, ServerError> {
        self.client()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "false")
            .create()
            .map_err(ServerError::kafka("creating a consumer"))
    }
}

fn owned(topics: &[&str]) -> Vec<String> {
    topics.iter().map(|&topic| topic.to_owned()).collect()
}

fn partitions(consumer: &BaseConsumer, topics: &[String]) -> Result<Vec<Partition>, ServerError> {
    let metadata = consumer
        .fetch_metadata(None, REQUEST)
        .map_err(ServerError::kafka("asking for the partitions"))?;
    let mut found = Vec::new();
    for topic in metadata.topics() {
        if topics.iter().any(|name| name == topic.name()) {
            let partitions = topic.partitions().iter();
            found.extend(partitions.map(|part| (topic.name().to_owned(), part.id())));
        }
    }
    found.sort();
    Ok(found)
}

/// The first question of a group makes the broker create the topic of offsets, and refuse until that is done.
fn committed_offsets(consumer: &BaseConsumer, list: &TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
    let start = Instant::now();
    loop {
        let answer = consumer.committed_offsets(list.clone(), REQUEST);
        let code = answer.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let passing = matches!(
            code,
            Some(
                RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
            )
        );
        if !passing || start.elapsed() > REQUEST {
            return answer;
        }
        std::thread::sleep(POLL);
    }
}

fn watermarks(consumer: &BaseConsumer, topic: &str, partition: i32) -> Result<(i64, i64), ServerError> {
    consumer
        .fetch_watermarks(topic, partition, REQUEST)
        .map_err(ServerError::kafka(format!("asking for the end of {topic}/{partition}")))
}

fn read_all(consumer: &BaseConsumer, topic: &str) -> Result<Vec<Received>, ServerError> {
    let doing = || format!("reading {topic}");
    let mut missing = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for (name, partition) in partitions(consumer, &[topic.to_owned()])? {
        let (low, high) = watermarks(consumer, &name, partition)?;
        if low < high {
            missing.insert(partition, high);
            assignment
                .add_partition_offset(&name, partition, Offset::Offset(low))
                .map_err(ServerError::kafka(doing()))?;
        }
    }
    consumer.assign(&assignment).map_err(ServerError::kafka(doing()))?;
    let start = Instant::now();
    let mut records = Vec::new();
    while !missing.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            None if start.elapsed() < READ => {}
            None => {
                let code = RDKafkaErrorCode::OperationTimedOut;
                return Err(ServerError::kafka(doing())(KafkaError::MessageConsumption(code)));
            }
            Some(Err(error)) => return Err(ServerError::kafka(doing())(error)),
            Some(Ok(message)) => {
                let record = Received::from(&message);
                let end = missing.get(&record.partition).copied();
                if end.is_some_and(|end| record.offset + 1 >= end) {
                    missing.remove(&record.partition);
                }
                if end.is_some_and(|end| record.offset < end) {
                    records.push(record);
                }
            }
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}
