//! In which order much of a log is read.

use std::collections::BTreeMap;

use crate::Offsets;

/// What is left to `target` by the partitions' numbers, `at_once` numbers in a stretch.
pub(super) fn stretches(position: &Offsets, target: &Offsets, at_once: usize) -> Vec<Offsets> {
    let mut by_number: BTreeMap<i32, Vec<_>> = BTreeMap::new();
    for (partition, end) in target.iter() {
        if position.get(partition) < end {
            by_number
                .entry(partition.number)
                .or_default()
                .push((partition.clone(), end));
        }
    }
    let numbers: Vec<_> = by_number.into_values().collect();
    numbers
        .chunks(at_once.max(1))
        .map(|numbers| numbers.iter().flatten().cloned().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Partition;

    fn offsets(pairs: &[(&str, i32, i64)]) -> Offsets {
        let partition = |(topic, number, next): &(&str, i32, i64)| (Partition::new(*topic, *number), *next);
        pairs.iter().map(partition).collect()
    }

    #[test]
    fn a_stretch_is_what_is_left_of_a_few_numbers_in_every_topic() {
        let target = offsets(&[("a", 0, 5), ("a", 1, 5), ("a", 2, 5), ("b", 0, 1), ("b", 2, 9)]);
        let position = offsets(&[("a", 1, 5), ("b", 0, 1), ("b", 2, 8)]);
        assert_eq!(
            stretches(&position, &target, 1),
            [offsets(&[("a", 0, 5)]), offsets(&[("a", 2, 5), ("b", 2, 9)]),]
        );
        assert_eq!(
            stretches(&position, &target, 2),
            [offsets(&[("a", 0, 5), ("a", 2, 5), ("b", 2, 9)])]
        );
        assert_eq!(stretches(&target, &target, 1), []);
    }
}
