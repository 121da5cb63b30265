//! What is known of the assigned partitions: their names, which offsets are durable, how far behind they are.

pub(crate) mod durable_offsets;
mod partition_table;

use std::{collections::HashMap, sync::Arc};

use rdkafka::topic_partition_list::TopicPartitionList;
use recap_log::{Offsets, Partition};
use recap_telemetry::PartitionLag;

use self::{
    durable_offsets::{ChunkId, DurableOffsets, PartitionIndex},
    partition_table::PartitionTable,
};

/// What the brokers say of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BrokerOffsets {
    /// The first offset there is.
    pub low: i64,
    /// The offset after the last record that can be read: where a transaction is open, its first record.
    pub end: i64,
    /// The client has read to the end, and has handed out all that was there.
    pub read_to_end: bool,
    /// The offset committed by the group; below zero when there is none.
    pub committed: i64,
}

/// The books of the assigned partitions.
#[derive(Debug)]
pub(crate) struct Books {
    partitions: PartitionTable,
    offsets: DurableOffsets,
    /// When the last record received from a partition was produced, in Unix milliseconds.
    produced: HashMap<PartitionIndex, i64>,
}

impl Books {
    pub fn new(topics: Arc<[Arc<str>]>) -> Self {
        Self {
            partitions: PartitionTable::new(topics),
            offsets: DurableOffsets::default(),
            produced: HashMap::new(),
        }
    }

    /// The topic's position in the list of topics and the partition's number; `None` when it was never assigned.
    pub fn locate(&mut self, topic: &str, partition: i32) -> Option<(usize, PartitionIndex)> {
        self.partitions.locate(topic, partition)
    }

    /// A record became part of a chunk. `produced` is in Unix milliseconds.
    pub fn received(&mut self, chunk: ChunkId, partition: PartitionIndex, offset: i64, produced: Option<i64>) {
        self.offsets.receive(chunk, partition, offset);
        if let Some(produced) = produced {
            self.produced.insert(partition, produced);
        }
    }

    /// Everything of the chunk is durable.
    pub fn finish(&mut self, chunk: ChunkId) {
        self.offsets.finish(chunk);
    }

    /// Opens the books of partitions; those of topics that are not read are left out.
    pub fn assign(&mut self, list: &TopicPartitionList) {
        for element in list.elements() {
            if let Some(number) = self.partitions.number_or_insert(element.topic(), element.partition()) {
                self.offsets.assign(number);
            }
        }
    }

    /// Closes the books of these partitions.
    pub fn revoke(&mut self, partitions: &[PartitionIndex]) {
        for partition in partitions {
            self.offsets.revoke(*partition);
            self.produced.remove(partition);
        }
    }

    /// The partitions assigned now.
    pub fn assigned(&self) -> Vec<PartitionIndex> {
        self.offsets.assigned().collect()
    }

    /// Whether this partition is assigned now.
    pub fn is_assigned(&self, topic: &str, partition: i32) -> bool {
        let number = self.partitions.number(topic, partition);
        number.is_some_and(|number| self.offsets.is_assigned(number))
    }

    /// Whether everything received from these partitions is durable.
    pub fn are_durable(&self, partitions: &[PartitionIndex]) -> bool {
        self.offsets.are_durable(partitions)
    }

    /// The number of a partition, when it has one.
    pub fn number(&self, topic: &str, partition: i32) -> Option<PartitionIndex> {
        self.partitions.number(topic, partition)
    }

    /// The numbers of these partitions.
    pub fn numbers(&self, list: &TopicPartitionList) -> Vec<PartitionIndex> {
        let number = |topic: &str, partition| self.partitions.number(topic, partition);
        list.elements()
            .iter()
            .filter_map(|element| number(element.topic(), element.partition()))
            .collect()
    }

    /// Topic and partition of a number.
    pub fn name(&self, partition: PartitionIndex) -> (&Arc<str>, i32) {
        self.partitions.name(partition)
    }

    /// Every assigned partition, for pausing and resuming.
    pub fn assignment(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in self.offsets.assigned() {
            let (topic, number) = self.name(partition);
            list.add_partition(topic, number);
        }
        list
    }

    /// Positions that moved since the last call; `None` when none did.
    pub fn take_advanced(&mut self) -> Option<Offsets> {
        let advanced = self.offsets.advanced();
        let named = advanced.into_iter().map(|(partition, position)| {
            let (topic, number) = self.name(partition);
            (Partition::new(Arc::clone(topic), number), position)
        });
        let offsets: Offsets = named.collect();
        (!offsets.is_empty()).then_some(offsets)
    }

    /// Committing these positions failed: [`Self::take_advanced`] gives them, or newer ones, again.
    pub fn commit_failed(&mut self, list: &TopicPartitionList) {
        for partition in self.numbers(list) {
            self.offsets.commit_failed(partition);
        }
    }

    /// How far behind a partition is. `now` is in Unix milliseconds.
    pub fn lag(&self, partition: PartitionIndex, broker: BrokerOffsets, now: i64) -> PartitionLag {
        let position = self.offsets.position(partition);
        let committed = position.unwrap_or(broker.committed.max(broker.low).max(0));
        // What is left behind the last record are markers of transactions and what they aborted.
        let done = broker.read_to_end && self.offsets.are_durable(&[partition]);
        let records = if done { 0 } else { (broker.end - committed).max(0) };
        let behind = self.produced.get(&partition).filter(|_| records > 0);
        let milliseconds = behind.map_or(0, |produced| (now - produced).max(0));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of lag are far below 2^52")]
        let seconds = milliseconds as f64 / 1_000.0;
        PartitionLag {
            records,
            seconds,
            committed_offset: committed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition("a", *partition);
        }
        list
    }

    fn taken(books: &mut Books) -> Option<i64> {
        books.take_advanced()?.find(&Partition::new("a", 0))
    }

    #[test]
    fn positions_are_given_for_commit_once_and_again_after_a_failed_commit() {
        let mut books = Books::new(Arc::new(["a".into()]));
        books.assign(&list(&[0, 1]));
        assert!(books.take_advanced().is_none(), "nothing was received");
        books.received(ChunkId(1), 0, 7, None);
        books.received(ChunkId(1), 0, 8, None);
        books.finish(ChunkId(1));
        assert_eq!(taken(&mut books), Some(9));
        assert_eq!(taken(&mut books), None);
        books.commit_failed(&list(&[0]));
        assert_eq!(taken(&mut books), Some(9));
    }

    #[test]
    fn a_revoked_partition_has_no_position_and_a_foreign_topic_no_books() {
        let mut books = Books::new(Arc::new(["a".into()]));
        let mut assigned = list(&[0]);
        assigned.add_partition("b", 0);
        books.assign(&assigned);
        assert_eq!((books.assigned().len(), books.is_assigned("b", 0)), (1, false));
        books.received(ChunkId(1), 0, 7, None);
        assert!(!books.are_durable(&[0]));
        books.revoke(&[0]);
        assert!(books.are_durable(&[0]) && !books.is_assigned("a", 0));
        assert_eq!(taken(&mut books), None);
    }

    #[test]
    fn lag_counts_from_what_is_durable_and_is_as_old_as_the_last_record_received() {
        let mut books = Books::new(Arc::new(["a".into()]));
        books.assign(&list(&[0]));
        let broker = BrokerOffsets {
            low: 3,
            end: 10,
            read_to_end: false,
            committed: -1001,
        };
        let lag = books.lag(0, broker, 5_000);
        assert_eq!(
            (lag.records, lag.committed_offset),
            (7, 3),
            "nothing committed: from the first record there is"
        );
        assert!(lag.seconds.abs() < f64::EPSILON, "nothing received, so no age is known");
        books.received(ChunkId(1), 0, 3, Some(3_500));
        let lag = books.lag(0, broker, 5_000);
        assert_eq!((lag.records, lag.committed_offset), (7, 3));
        assert!((lag.seconds - 1.5).abs() < f64::EPSILON);
        books.finish(ChunkId(1));
        assert_eq!(books.lag(0, broker, 5_000).records, 6);
        let idle = books.lag(0, BrokerOffsets { end: 4, ..broker }, 5_000);
        assert!(idle.records == 0 && idle.seconds.abs() < f64::EPSILON);
    }

    #[test]
    fn what_holds_no_record_is_no_lag_once_everything_before_is_durable() {
        let mut books = Books::new(Arc::new(["a".into()]));
        books.assign(&list(&[0]));
        let broker = BrokerOffsets {
            low: 0,
            end: 3,
            read_to_end: true,
            committed: -1001,
        };
        assert_eq!(books.lag(0, broker, 0).records, 0, "only aborted records");
        books.received(ChunkId(1), 0, 0, Some(0));
        assert_eq!(books.lag(0, broker, 0).records, 3);
        books.finish(ChunkId(1));
        assert_eq!(books.lag(0, broker, 0).records, 0);
        let more = BrokerOffsets {
            end: 9,
            read_to_end: false,
            ..broker
        };
        assert_eq!(books.lag(0, more, 0).records, 8);
    }
}
