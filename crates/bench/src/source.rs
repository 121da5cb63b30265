//! Reads a log from its topics as fast as librdkafka gives it: what the limit and the baselines stand on.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::BorrowedMessage,
};
use recap_log::{Cluster, Topic};

/// How long the broker may take to answer or to send the next records.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(30);

/// A share of the partitions of every topic, to be read from the beginning to the end they have now.
///
/// Topics have the same number of partitions and records the same keys, so a conversation is in one share only.
pub struct Source {
    consumer: BaseConsumer,
    records: u64,
}

impl Source {
    /// The partitions whose number leaves the remainder `share` when divided by `shares`.
    pub fn open(cluster: &Cluster, share: i32, shares: i32) -> anyhow::Result<Self> {
        let config = cluster.client_with(|config| {
            config
                .set("group.id", "recap-bench")
                .set("enable.auto.commit", "false")
                .set("queued.max.messages.kbytes", "65536")
                .set("queued.min.messages", "1000000")
                .set("fetch.message.max.bytes", "4194304")
                .set("fetch.queue.backoff.ms", "10")
                .set("check.crcs", "false");
        });
        let consumer: BaseConsumer = config.create().context("the Kafka consumer cannot start")?;
        let mut partitions = TopicPartitionList::new();
        let mut records = 0;
        for topic in Topic::ALL {
            let metadata = consumer.fetch_metadata(Some(topic.name()), KAFKA_TIMEOUT)?;
            let found = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
            ensure!(found > 0, "topic {} has no partitions", topic.name());
            for partition in 0..i32::try_from(found)? {
                if partition % shares == share {
                    let (low, high) = consumer.fetch_watermarks(topic.name(), partition, KAFKA_TIMEOUT)?;
                    records += u64::try_from(high - low)?;
                    partitions.add_partition_offset(topic.name(), partition, Offset::Beginning)?;
                }
            }
        }
        consumer.assign(&partitions)?;
        Ok(Self { consumer, records })
    }

    /// Gives every record to `each` until the end or until it says stop; returns how many, and the time since the first.
    pub fn read(
        &self,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<(u64, Duration)> {
        let mut read = 0;
        let mut first: Option<Instant> = None;
        while read < self.records {
            let message = self
                .consumer
                .poll(KAFKA_TIMEOUT)
                .context("Kafka gives no more records before the end of the log")??;
            first.get_or_insert_with(Instant::now);
            read += 1;
            if each(&message)?.is_break() {
                break;
            }
        }
        Ok((read, first.map_or(Duration::ZERO, |first| first.elapsed())))
    }
}

/// Runs `work` once for every share, each on its own thread; gives records a second of all together.
pub fn rate_of_shares(
    shares: i32,
    work: impl Fn(i32) -> anyhow::Result<(u64, Duration)> + Sync,
) -> anyhow::Result<f64> {
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..shares)
            .map(|share| {
                let work = &work;
                scope.spawn(move || work(share))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let records: u64 = results.iter().map(|(records, _)| records).sum();
    let slowest = results.iter().map(|(_, time)| *time).max().unwrap_or_default();
    Ok(per_second(records, slowest))
}

/// Events a second.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 events")]
pub fn per_second(events: u64, time: Duration) -> f64 {
    events as f64 / time.as_secs_f64().max(1e-9)
}
