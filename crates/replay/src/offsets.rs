//! Places in the log: the next offset to read of each partition.

use std::{collections::BTreeMap, sync::Arc};

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// From 0.
    pub number: i32,
}

impl Partition {
    /// Names a partition.
    pub fn new(topic: impl Into<Arc<str>>, number: i32) -> Self {
        Self {
            topic: topic.into(),
            number,
        }
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// The next offset of each partition; a partition that is not named stands at 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offsets(BTreeMap<Partition, i64>);

impl Offsets {
    /// The next offset of a partition.
    #[must_use]
    pub fn get(&self, partition: &Partition) -> i64 {
        self.0.get(partition).copied().unwrap_or(0)
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

    /// Whether every partition of `target` is passed.
    #[must_use]
    pub fn reached(&self, target: &Self) -> bool {
        self.missing(target) == 0
    }

    /// How many offsets are left to `target`.
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
}

impl FromIterator<(Partition, i64)> for Offsets {
    fn from_iter<T: IntoIterator<Item = (Partition, i64)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(pairs: &[(&str, i32, i64)]) -> Offsets {
        pairs
            .iter()
            .map(|(topic, number, next)| (Partition::new(*topic, *number), *next))
            .collect()
    }

    #[test]
    fn a_target_is_reached_when_every_partition_is_passed() {
        let target = offsets(&[("a", 0, 5), ("a", 1, 0), ("b", 0, 2)]);
        assert!(!offsets(&[("a", 0, 5)]).reached(&target));
        assert_eq!(offsets(&[("a", 0, 3), ("b", 0, 9)]).missing(&target), 2);
        assert!(offsets(&[("a", 0, 6), ("b", 0, 2)]).reached(&target));
    }

    #[test]
    fn a_position_never_moves_back() {
        let mut position = offsets(&[("a", 0, 5)]);
        position.advance(&Partition::new("a", 0), 3);
        position.advance(&Partition::new("a", 1), 3);
        assert_eq!(position, offsets(&[("a", 0, 5), ("a", 1, 3)]));
    }
}
