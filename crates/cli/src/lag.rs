//! How many records a consumer group has not committed yet.

use std::time::Duration;

use anyhow::Context as _;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for the lag of one group on some topics.
pub struct Lag {
    consumer: BaseConsumer,
    partitions: Vec<(String, i32)>,
    /// First and last offsets of a log that nobody adds to.
    finished: Option<Vec<(i64, i64)>>,
}

impl Lag {
    /// Looks up the partitions that the topics have now; a topic that doesn't exist has none.
    pub fn of(kafka: &ClientConfig, group: &str, topics: &[&str]) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = kafka
            .clone()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .context("the Kafka consumer can't start")?;
        let metadata = consumer.fetch_metadata(None, PATIENCE)?;
        let partitions = metadata
            .topics()
            .iter()
            .filter(|topic| topics.contains(&topic.name()))
            .flat_map(|topic| {
                let name = topic.name();
                topic
                    .partitions()
                    .iter()
                    .map(move |partition| (name.to_owned(), partition.id()))
            })
            .collect();
        Ok(Self {
            consumer,
            partitions,
            finished: None,
        })
    }

    /// Looks the ends up once: asking again is cheap then, and nobody may publish any more.
    pub fn of_a_finished_log(mut self) -> anyhow::Result<Self> {
        let ends = self
            .partitions
            .iter()
            .map(|(topic, partition)| Ok(self.consumer.fetch_watermarks(topic, *partition, PATIENCE)?))
            .collect::<anyhow::Result<_>>()?;
        self.finished = Some(ends);
        Ok(self)
    }

    /// Records not committed at this moment.
    pub fn now(&self) -> anyhow::Result<i64> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &self.partitions {
            list.add_partition(topic, *partition);
        }
        let committed = self.consumer.committed_offsets(list, PATIENCE)?;
        let mut lag = 0;
        for (at, (topic, partition)) in self.partitions.iter().enumerate() {
            let (low, high) = match &self.finished {
                Some(ends) => ends[at],
                None => self.consumer.fetch_watermarks(topic, *partition, PATIENCE)?,
            };
            let done = committed.find_partition(topic, *partition).map(|entry| entry.offset());
            lag += match done {
                Some(Offset::Offset(offset)) => high - offset,
                _ => high - low,
            };
        }
        Ok(lag)
    }
}

/// Commits the ends of the topics for a group that has no members yet, so that it reads only what comes from now on.
pub fn start_at_the_end(kafka: &ClientConfig, group: &str, topics: &[&str]) -> anyhow::Result<()> {
    let lag = Lag::of(kafka, group, topics)?;
    let mut ends = TopicPartitionList::new();
    for (topic, partition) in &lag.partitions {
        let (_, high) = lag.consumer.fetch_watermarks(topic, *partition, PATIENCE)?;
        ends.add_partition_offset(topic, *partition, Offset::Offset(high))?;
    }
    Ok(lag.consumer.commit(&ends, CommitMode::Sync)?)
}
