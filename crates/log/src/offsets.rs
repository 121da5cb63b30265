//! A position in the log: the next offset to read of each partition.

use std::collections::BTreeMap;

use rdkafka::{Offset, TopicPartitionList};

use crate::{LogError, Partition};

/// The next offset of each partition. A partition that is not named stands at 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offsets(BTreeMap<Partition, i64>);

impl Offsets {
    /// The next offset of a partition.
    #[must_use]
    pub fn get(&self, partition: &Partition) -> i64 {
        self.find(partition).unwrap_or(0)
    }

    /// The next offset of a partition, if it is named.
    #[must_use]
    pub fn find(&self, partition: &Partition) -> Option<i64> {
        self.0.get(partition).copied()
    }

    /// Whether no partition is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the partition is named.
    #[must_use]
    pub fn contains(&self, partition: &Partition) -> bool {
        self.0.contains_key(partition)
    }

    /// Sets the next offset of a partition.
    pub fn set(&mut self, partition: Partition, next: i64) {
        self.0.insert(partition, next);
    }

    /// Moves a partition forward, never back.
    pub fn advance(&mut self, partition: &Partition, next: i64) {
        if let Some(offset) = self.0.get_mut(partition) {
            *offset = next.max(*offset);
        } else {
            self.0.insert(partition.clone(), next);
        }
    }

    /// How many offsets are left to `target`; 0 when every partition of it is passed.
    #[must_use]
    pub fn missing(&self, target: &Self) -> u64 {
        target
            .iter()
            .map(|(partition, next)| u64::try_from(next - self.get(partition)).unwrap_or(0))
            .sum()
    }

    /// Partitions with their next offsets, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.0.iter().map(|(partition, next)| (partition, *next))
    }

    /// The list that librdkafka's calls take.
    pub fn to_list(&self) -> Result<TopicPartitionList, LogError> {
        let mut list = TopicPartitionList::with_capacity(self.0.len());
        for (partition, next) in self.iter() {
            list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(next))
                .map_err(LogError::kafka("choose partitions"))?;
        }
        Ok(list)
    }

    /// The partitions of an answer of librdkafka that carry an offset.
    #[must_use]
    pub fn from_list(list: &TopicPartitionList) -> Self {
        let elements = list.elements();
        let known = elements.iter().filter_map(|element| match element.offset() {
            Offset::Offset(next) => Some((Partition::new(element.topic(), element.partition()), next)),
            _ => None,
        });
        known.collect()
    }
}

impl FromIterator<(Partition, i64)> for Offsets {
    fn from_iter<T: IntoIterator<Item = (Partition, i64)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn offsets(pairs: &[(&str, i32, i64)]) -> Offsets {
        pairs
            .iter()
            .map(|(topic, number, next)| (Partition::new(*topic, *number), *next))
            .collect()
    }

    #[test]
    fn nothing_is_missing_when_every_partition_of_the_target_is_passed() {
        let target = offsets(&[("a", 0, 5), ("a", 1, 0), ("b", 0, 2)]);
        assert_eq!(offsets(&[("a", 0, 5)]).missing(&target), 2);
        assert_eq!(offsets(&[("a", 0, 3), ("b", 0, 9)]).missing(&target), 2);
        assert_eq!(offsets(&[("a", 0, 6), ("b", 0, 2)]).missing(&target), 0);
    }

    #[test]
    fn a_position_never_moves_back() {
        let mut position = offsets(&[("a", 0, 5)]);
        position.advance(&Partition::new("a", 0), 3);
        position.advance(&Partition::new("a", 1), 3);
        assert_eq!(position, offsets(&[("a", 0, 5), ("a", 1, 3)]));
    }

    #[test]
    fn librdkafkas_lists_are_read_as_they_are_written_and_partitions_without_an_offset_are_left_out() {
        let position = offsets(&[("a", 0, 5), ("a", 1, 0), ("b", 0, 2)]);
        let mut list = position.to_list().unwrap();
        list.add_partition("c", 0);
        assert_eq!(Offsets::from_list(&list), position);
    }
}
