//! The log as Kafka holds it, read by partition: `assign`, never a group, nothing committed.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rdkafka::{
    Offset, TopicPartitionList,
    config::ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers as _, Message as _},
};

use crate::{Offsets, Partition};

const METADATA_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Silence after which it is asked whether there is any more: each question takes a connection of its own, and the first
/// records of many partitions may well take half of this.
const QUIET: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const STALL: Duration = Duration::from_mins(2);

/// Where the log is.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Connection settings for librdkafka: `bootstrap.servers` and whatever the cluster asks for.
    pub client: ClientConfig,
    /// The topics that make up the log.
    pub topics: Vec<String>,
    /// The live projector's consumer group; its committed offsets are read, never written.
    pub group: String,
}

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
    /// Nothing arrived although offsets are left.
    #[error("no progress for {seconds} s with {missing} offsets left to read")]
    Stalled {
        /// How long nothing came.
        seconds: u64,
        /// Offsets left.
        missing: u64,
    },
}

/// The partition that records come from at the moment: they come by the hundred, and looking up its offsets each time adds up.
struct At {
    partition: Partition,
    next: i64,
    goal: i64,
}

/// A reader of chosen partitions from chosen offsets.
pub struct KafkaLog {
    consumer: BaseConsumer,
    /// Asks brokers for offsets. It never fetches: a broker answers a connection's requests in order, so behind
    /// `consumer`'s fetches each question would wait up to `fetch.wait.max.ms`.
    lookup: BaseConsumer,
    client: ClientConfig,
    topics: Vec<Arc<str>>,
    position: Offsets,
}

impl KafkaLog {
    /// Opens a reader that stands nowhere yet.
    pub fn open(config: &LogConfig) -> Result<Self, LogError> {
        let mut client = config.client.clone();
        client
            .set("group.id", &config.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            // A full queue is the normal state here; the default of one second would let it run empty.
            .set("fetch.queue.backoff.ms", "20")
            // A partition that is read to its end shares its request with others, which would wait for it.
            .set("fetch.wait.max.ms", "20");
        for absent in [
            "group.instance.id",
            "group.protocol",
            "partition.assignment.strategy",
            "session.timeout.ms",
            "heartbeat.interval.ms",
        ] {
            client.remove(absent);
        }
        Ok(Self {
            consumer: client.create().map_err(kafka("create a consumer"))?,
            lookup: client.create().map_err(kafka("create a consumer"))?,
            client,
            topics: config.topics.iter().map(|t| Arc::from(t.as_str())).collect(),
            position: Offsets::default(),
        })
    }

    /// Every partition that the topics have now; a topic that does not exist has none.
    pub fn partitions(&self) -> Result<Vec<Partition>, LogError> {
        let metadata = self
            .lookup
            .fetch_metadata(None, METADATA_TIMEOUT)
            .map_err(kafka("read the cluster's metadata"))?;
        let mut partitions = Vec::new();
        for topic in &self.topics {
            let found = metadata.topics().iter().find(|t| t.name() == &**topic);
            for partition in found.iter().flat_map(|t| t.partitions()) {
                partitions.push(Partition::new(Arc::clone(topic), partition.id()));
            }
        }
        partitions.sort();
        Ok(partitions)
    }

    /// The oldest record of every partition, as the brokers say now.
    pub fn oldest_offsets(&self) -> Result<Offsets, LogError> {
        self.offsets_of(Offset::Beginning)
    }

    /// One past the newest record of every partition, as the brokers say now.
    pub fn end_offsets(&self) -> Result<Offsets, LogError> {
        self.offsets_of(Offset::End)
    }

    /// The offsets of the first records produced at a time or later; partitions without one are at
    /// their end.
    pub fn offsets_at(&self, time: DateTime<Utc>) -> Result<Offsets, LogError> {
        let mut found = self.end_offsets()?;
        for (partition, next) in self.offsets_of(Offset::Offset(time.timestamp_millis()))?.iter() {
            found.set(partition.clone(), next);
        }
        Ok(found)
    }

    /// One `ListOffsets` request a broker, whatever the number of partitions; those without an answer are left out.
    fn offsets_of(&self, at: Offset) -> Result<Offsets, LogError> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions()? {
            list.add_partition_offset(&partition.topic, partition.number, at)
                .map_err(kafka("look up offsets"))?;
        }
        if list.count() == 0 {
            return Ok(Offsets::default());
        }
        let found = self
            .lookup
            .offsets_for_times(list, METADATA_TIMEOUT)
            .map_err(kafka("look up offsets"))?;
        let mut offsets = Offsets::default();
        for element in found.elements() {
            element.error().map_err(kafka("look up offsets"))?;
            if let Offset::Offset(next) = element.offset() {
                offsets.set(Partition::new(element.topic(), element.partition()), next);
            }
        }
        Ok(offsets)
    }

    /// The offsets that the live consumer group has committed; partitions without one are left out.
    pub fn committed(&self) -> Result<Offsets, LogError> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions()? {
            list.add_partition(&partition.topic, partition.number);
        }
        let committed = self
            .lookup
            .committed_offsets(list, METADATA_TIMEOUT)
            .map_err(kafka("read the group's committed offsets"))?;
        Ok(committed
            .elements()
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(next) => Some((Partition::new(element.topic(), element.partition()), next)),
                _ => None,
            })
            .collect())
    }

    /// Places the reader: it goes on from `position`, partition by partition.
    pub fn seek(&mut self, position: Offsets) -> Result<(), LogError> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in position.iter() {
            list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(next))
                .map_err(kafka("choose partitions"))?;
        }
        self.consumer.assign(&list).map_err(kafka("choose partitions"))?;
        self.position = position;
        Ok(())
    }

    /// The next offset of every partition that is being read.
    #[must_use]
    pub fn position(&self) -> &Offsets {
        &self.position
    }

    /// Reads on until every partition has passed `target`, handing each record to `visit`, which may
    /// say [`Flow::Pause`] to get the control back. Partitions that `target` names and that are not
    /// being read yet are read from their oldest record. `Ok(true)` when the target is reached.
    ///
    /// Offsets without a record (transaction markers, transactions still open) count as passed once
    /// the broker reports the partition's end.
    pub fn read_to<'l, F>(&'l mut self, target: &Offsets, mut visit: F) -> Result<bool, LogError>
    where
        F: FnMut(&Partition, BorrowedMessage<'l>) -> Flow,
    {
        self.include(target)?;
        let Self {
            consumer,
            client,
            position,
            ..
        } = self;
        let mut at_end = BTreeSet::new();
        let mut last_progress = Instant::now();
        let mut at: Option<At> = None;
        let mut left = left_to(target, position, &at_end);
        while left > 0 {
            let message = match consumer.poll(POLL_TIMEOUT) {
                Some(Ok(message)) => message,
                Some(Err(error)) if is_transient(&error) => {
                    tracing::warn!(%error, "the log cannot be read now, trying on");
                    continue;
                }
                Some(Err(source)) => {
                    return Err(LogError::Kafka {
                        action: "read the log",
                        source,
                    });
                }
                None if last_progress.elapsed() < QUIET => continue,
                None => {
                    if let Some(before) = at.take() {
                        position.advance(&before.partition, before.next);
                    }
                    probe_ends(client, position, target, &mut at_end)?;
                    left = left_to(target, position, &at_end);
                    if left > 0 && last_progress.elapsed() > STALL {
                        return Err(LogError::Stalled {
                            seconds: STALL.as_secs(),
                            missing: position.missing(target),
                        });
                    }
                    continue;
                }
            };
            last_progress = Instant::now();
            let same = at.as_ref().is_some_and(|at| {
                at.partition.number == message.partition() && &*at.partition.topic == message.topic()
            });
            if !same {
                if let Some(before) = at.take() {
                    position.advance(&before.partition, before.next);
                }
                let partition = Partition::new(message.topic(), message.partition());
                at = Some(At {
                    next: position.get(&partition),
                    goal: target.get(&partition),
                    partition,
                });
            }
            if let Some(at) = &mut at {
                let next = message.offset() + 1;
                let flow = visit(&at.partition, message);
                if at.next < at.goal && next >= at.goal && !at_end.contains(&at.partition) {
                    left -= 1;
                }
                at.next = next.max(at.next);
                if left == 0 || matches!(flow, Flow::Pause) {
                    position.advance(&at.partition, at.next);
                    return Ok(left == 0);
                }
            }
        }
        Ok(true)
    }

    fn include(&mut self, target: &Offsets) -> Result<(), LogError> {
        if target.iter().all(|(partition, _)| self.position.contains(partition)) {
            return Ok(());
        }
        let oldest = self.oldest_offsets()?;
        let mut position = self.position.clone();
        for (partition, _) in target.iter() {
            if !position.contains(partition) {
                position.set(partition.clone(), oldest.get(partition));
            }
        }
        self.seek(position)
    }
}

/// How many partitions have not passed `target` yet.
fn left_to(target: &Offsets, position: &Offsets, at_end: &BTreeSet<Partition>) -> usize {
    target
        .iter()
        .filter(|(partition, next)| position.get(partition) < *next && !at_end.contains(partition))
        .count()
}

/// Asks the broker, partition by partition, whether what is left holds any record. rust-rdkafka's
/// end-of-partition event names no topic (and it logs each as an error), so each question has a consumer of its own.
fn probe_ends(
    client: &ClientConfig,
    position: &Offsets,
    target: &Offsets,
    at_end: &mut BTreeSet<Partition>,
) -> Result<(), LogError> {
    for (partition, next) in target.iter() {
        let position = position.get(partition);
        if position >= next || at_end.contains(partition) {
            continue;
        }
        let mut client = client.clone();
        let probe: BaseConsumer = client
            .set("enable.partition.eof", "true")
            .create()
            .map_err(kafka("create a consumer"))?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(position))
            .map_err(kafka("choose partitions"))?;
        probe.assign(&list).map_err(kafka("choose partitions"))?;
        if matches!(probe.poll(PROBE_TIMEOUT), Some(Err(KafkaError::PartitionEOF(_)))) {
            at_end.insert(partition.clone());
        }
    }
    Ok(())
}

type Header<'m> = (&'m str, Option<&'m [u8]>);

/// A record's headers; `None` where a name is not UTF-8, on which rdkafka panics: the live projector
/// dead-letters such a record.
pub(crate) fn readable_headers<'m>(message: &'m BorrowedMessage<'_>) -> Option<Vec<Header<'m>>> {
    let Some(headers) = message.headers() else {
        return Some(Vec::new());
    };
    catch_unwind(AssertUnwindSafe(|| {
        headers.iter().map(|header| (header.key, header.value)).collect()
    }))
    .ok()
}

/// What a visitor wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More records.
    Continue,
    /// The control back, after this record.
    Pause,
}

fn kafka(action: &'static str) -> impl FnOnce(KafkaError) -> LogError {
    move |source| LogError::Kafka { action, source }
}

/// Errors that librdkafka goes on from by itself.
fn is_transient(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::Resolve
        )
    )
}
