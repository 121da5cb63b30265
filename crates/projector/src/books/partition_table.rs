//! Numbers for partitions, so that bookkeeping a record needs no name.

use std::{collections::HashMap, sync::Arc};

use super::durable_offsets::PartitionIndex;

/// The topics that are read, and the partitions of them that were ever assigned; a partition keeps its number for the life of the process.
#[derive(Debug)]
pub(crate) struct PartitionTable {
    topics: Arc<[Arc<str>]>,
    partitions: Vec<(usize, i32)>,
    numbers: HashMap<(usize, i32), PartitionIndex>,
    /// The partition found last: records come in runs.
    last: Option<((usize, i32), PartitionIndex)>,
}

impl PartitionTable {
    pub fn new(topics: Arc<[Arc<str>]>) -> Self {
        Self {
            topics,
            partitions: Vec::new(),
            numbers: HashMap::new(),
            last: None,
        }
    }

    /// The number of a partition, given now if it has none; `None` when its topic is not read.
    pub fn number_or_insert(&mut self, topic: &str, partition: i32) -> Option<PartitionIndex> {
        let name = (self.topic(topic)?, partition);
        let partitions = &mut self.partitions;
        Some(*self.numbers.entry(name).or_insert_with(|| {
            partitions.push(name);
            partitions.len() - 1
        }))
    }

    /// The number of a partition, when it has one.
    pub fn number(&self, topic: &str, partition: i32) -> Option<PartitionIndex> {
        self.numbers.get(&(self.topic(topic)?, partition)).copied()
    }

    /// The topic's position in the list of topics and the partition's number, when it has one.
    pub fn locate(&mut self, topic: &str, partition: i32) -> Option<(usize, PartitionIndex)> {
        if let Some(((known, last), number)) = self.last
            && last == partition
            && *self.topics[known] == *topic
        {
            return Some((known, number));
        }
        let topic = self.topic(topic)?;
        let number = *self.numbers.get(&(topic, partition))?;
        self.last = Some(((topic, partition), number));
        Some((topic, number))
    }

    /// Topic and partition of a number.
    pub fn name(&self, number: PartitionIndex) -> (&Arc<str>, i32) {
        let (topic, partition) = self.partitions[number];
        (&self.topics[topic], partition)
    }

    fn topic(&self, name: &str) -> Option<usize> {
        self.topics.iter().position(|topic| **topic == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_keeps_its_number_and_a_topic_that_is_not_read_has_none() {
        let mut table = PartitionTable::new(Arc::new(["a".into(), "b".into()]));
        assert_eq!(table.locate("a", 3), None, "not assigned yet");
        let numbers = [("a", 3), ("b", 3), ("a", 3)].map(|(topic, partition)| table.number_or_insert(topic, partition));
        assert_eq!(numbers, [Some(0), Some(1), Some(0)]);
        assert_eq!(table.number_or_insert("c", 0), None);
        for _ in 0..2 {
            assert_eq!(table.locate("b", 3), Some((1, 1)));
            assert_eq!(table.locate("a", 3), Some((0, 0)));
        }
        assert_eq!((table.number("b", 3), table.number("b", 4)), (Some(1), None));
        assert_eq!(table.name(1), (&"b".into(), 3));
    }
}
