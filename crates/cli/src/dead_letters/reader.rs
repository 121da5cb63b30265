//! Reads the dead-letter topic from its beginning to the end it has now.

use std::time::Duration;

use anyhow::Context as _;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::Message as _,
};

use super::letter::{DeadLetter, Place};

const PATIENCE: Duration = Duration::from_secs(15);

fn consumer(kafka: &ClientConfig) -> anyhow::Result<BaseConsumer> {
    kafka
        .clone()
        .set("group.id", "recap-dead-letters")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "false")
        .create()
        .context("the Kafka consumer can't start")
}

/// Gives every dead letter to `each`, in order within a partition.
pub fn read(
    kafka: &ClientConfig,
    topic: &str,
    mut each: impl FnMut(DeadLetter) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let consumer = consumer(kafka)?;
    let metadata = consumer
        .fetch_metadata(Some(topic), PATIENCE)
        .context("Kafka can't be reached")?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id))
        .collect();
    for partition in partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
        if low == high {
            continue;
        }
        assign(&consumer, topic, partition, low)?;
        let mut next = low;
        while next < high {
            // A gap up to the end (deleted records, markers of transactions) would wait for ever.
            let Some(message) = consumer.poll(PATIENCE) else {
                break;
            };
            let message = message?;
            next = message.offset() + 1;
            if message.offset() < high {
                each(DeadLetter::from_message(&message))?;
            }
        }
    }
    Ok(())
}

/// The dead letter at this place, if there is one.
pub fn read_one(kafka: &ClientConfig, topic: &str, place: Place) -> anyhow::Result<Option<DeadLetter>> {
    let consumer = consumer(kafka)?;
    let (low, high) = consumer
        .fetch_watermarks(topic, place.partition, PATIENCE)
        .with_context(|| format!("{topic} has no partition {}", place.partition))?;
    if !(low..high).contains(&place.offset) {
        return Ok(None);
    }
    assign(&consumer, topic, place.partition, place.offset)?;
    let Some(message) = consumer.poll(PATIENCE) else {
        return Ok(None);
    };
    let letter = DeadLetter::from_message(&message?);
    Ok(Some(letter).filter(|letter| letter.place == place))
}

fn assign(consumer: &BaseConsumer, topic: &str, partition: i32, offset: i64) -> anyhow::Result<()> {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    Ok(consumer.assign(&assignment)?)
}
