//! Which offsets may be committed: pure bookkeeping, no Kafka.
//!
//! A record belongs to a chunk from the moment it is received; a chunk is finished when everything of it is durable. The position of a partition is
//! the least offset of any unfinished chunk in it, else the offset after the last record received. Everything before a position is durable.

use std::collections::{BTreeSet, HashMap};

/// A partition of a topic, numbered by the consumer for the life of the process.
pub(crate) type PartitionIndex = usize;

/// A chunk of records on its way through one worker; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChunkId(pub u64);

#[derive(Debug, Default)]
struct Partition {
    /// The offset after the last record received; `None` until one is.
    next: Option<i64>,
    /// First offset of each unfinished chunk.
    unfinished: BTreeSet<(i64, ChunkId)>,
    /// The position last handed out for committing.
    committed: Option<i64>,
}

impl Partition {
    fn position(&self) -> Option<i64> {
        self.unfinished.first().map(|&(first, _)| first).or(self.next)
    }
}

/// The positions of the assigned partitions.
#[derive(Debug, Default)]
pub(crate) struct DurableOffsets {
    partitions: HashMap<PartitionIndex, Partition>,
    chunks: HashMap<ChunkId, Vec<(PartitionIndex, i64)>>,
}

impl DurableOffsets {
    /// A partition was assigned; what was known of an earlier assignment is forgotten.
    pub fn assign(&mut self, partition: PartitionIndex) {
        self.partitions.insert(partition, Partition::default());
    }

    /// A partition was revoked or lost: its chunks may still finish, and no longer count.
    pub fn revoke(&mut self, partition: PartitionIndex) {
        self.partitions.remove(&partition);
    }

    /// A record became part of a chunk. Within an assignment offsets only grow.
    pub fn receive(&mut self, chunk: ChunkId, partition: PartitionIndex, offset: i64) {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        state.next = Some(offset + 1);
        let parts = self.chunks.entry(chunk).or_default();
        // A chunk that outlived an assignment and goes on in the next one counts from its first record there.
        let known = parts
            .iter()
            .any(|&(known, first)| known == partition && state.unfinished.contains(&(first, chunk)));
        if !known {
            state.unfinished.insert((offset, chunk));
            parts.push((partition, offset));
        }
    }

    /// Everything of the chunk is durable.
    pub fn finish(&mut self, chunk: ChunkId) {
        for (partition, first) in self.chunks.remove(&chunk).unwrap_or_default() {
            if let Some(state) = self.partitions.get_mut(&partition) {
                state.unfinished.remove(&(first, chunk));
            }
        }
    }

    /// Whether all that was received from these partitions is durable.
    pub fn are_durable(&self, partitions: &[PartitionIndex]) -> bool {
        partitions
            .iter()
            .filter_map(|partition| self.partitions.get(partition))
            .all(|state| state.unfinished.is_empty())
    }

    /// Positions that moved since they were last handed out, which they are now.
    pub fn advanced(&mut self) -> Vec<(PartitionIndex, i64)> {
        let mut advanced = Vec::new();
        for (&partition, state) in &mut self.partitions {
            let position = state.position();
            if let Some(position) = position.filter(|_| position != state.committed) {
                state.committed = Some(position);
                advanced.push((partition, position));
            }
        }
        advanced
    }

    /// Committing what was handed out for this partition failed: it will be handed out again.
    pub fn commit_failed(&mut self, partition: PartitionIndex) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.committed = None;
        }
    }

    /// Everything before this offset is durable; `None` when nothing was received yet.
    pub fn position(&self, partition: PartitionIndex) -> Option<i64> {
        self.partitions.get(&partition)?.position()
    }

    /// Whether a partition is assigned now.
    pub fn is_assigned(&self, partition: PartitionIndex) -> bool {
        self.partitions.contains_key(&partition)
    }

    /// The partitions assigned now.
    pub fn assigned(&self) -> impl Iterator<Item = PartitionIndex> + '_ {
        self.partitions.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Take { worker: usize, partition: usize, gap: i64 },
        Dispatch { worker: usize },
        Finish { place: usize },
        Reassign { partition: usize, back: i64 },
        Advance,
        CommitFailed { partition: usize },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0..3usize, 0..3usize, 0..3i64).prop_map(|(worker, partition, gap)| Step::Take { worker, partition, gap }),
            3 => (0..3usize).prop_map(|worker| Step::Dispatch { worker }),
            4 => (0..8usize).prop_map(|place| Step::Finish { place }),
            1 => (0..3usize, 0..6i64).prop_map(|(partition, back)| Step::Reassign { partition, back }),
            2 => Just(Step::Advance),
            1 => (0..3usize).prop_map(|partition| Step::CommitFailed { partition }),
        ];
        prop::collection::vec(step, 0..120)
    }

    /// Remembers every single record.
    #[derive(Default)]
    struct Model {
        next: [i64; 3],
        taken: [bool; 3],
        unfinished: HashSet<(usize, ChunkId, i64)>,
    }

    impl Model {
        fn position(&self, partition: usize) -> Option<i64> {
            let least = self
                .unfinished
                .iter()
                .filter(|record| record.0 == partition)
                .map(|record| record.2)
                .min();
            least.or(self.taken[partition].then_some(self.next[partition]))
        }
    }

    proptest! {
        #[test]
        fn a_position_is_the_least_unfinished_record_else_the_end(steps in steps()) {
            let (mut offsets, mut model) = (DurableOffsets::default(), Model::default());
            let mut building: [Option<ChunkId>; 3] = [None; 3];
            let mut dispatched: Vec<ChunkId> = Vec::new();
            let mut last_id = 0;
            (0..3).for_each(|partition| offsets.assign(partition));
            for step in steps {
                match step {
                    Step::Take { worker, partition, gap } => {
                        let chunk = *building[worker].get_or_insert_with(|| { last_id += 1; ChunkId(last_id) });
                        let offset = model.next[partition] + gap;
                        model.next[partition] = offset + 1;
                        model.taken[partition] = true;
                        model.unfinished.insert((partition, chunk, offset));
                        offsets.receive(chunk, partition, offset);
                    }
                    Step::Dispatch { worker } => dispatched.extend(building[worker].take()),
                    Step::Finish { place } => if !dispatched.is_empty() {
                        let chunk = dispatched.remove(place % dispatched.len());
                        model.unfinished.retain(|record| record.1 != chunk);
                        offsets.finish(chunk);
                    },
                    Step::Reassign { partition, back } => {
                        model.unfinished.retain(|record| record.0 != partition);
                        model.next[partition] = (model.next[partition] - back).max(0);
                        model.taken[partition] = false;
                        offsets.revoke(partition);
                        offsets.assign(partition);
                    }
                    Step::Advance => for (partition, position) in offsets.advanced() {
                        prop_assert_eq!(Some(position), model.position(partition));
                    },
                    Step::CommitFailed { partition } => offsets.commit_failed(partition),
                }
                for partition in 0..3 {
                    prop_assert_eq!(offsets.position(partition), model.position(partition));
                    let durable = !model.unfinished.iter().any(|record| record.0 == partition);
                    prop_assert_eq!(offsets.are_durable(&[partition]), durable);
                }
            }
        }
    }

    #[test]
    fn a_position_is_handed_out_once_unless_its_commit_failed() {
        let mut offsets = DurableOffsets::default();
        offsets.assign(0);
        assert_eq!(offsets.advanced(), []);
        offsets.receive(ChunkId(1), 0, 5);
        assert_eq!(offsets.advanced(), [(0, 5)]);
        offsets.finish(ChunkId(1));
        assert_eq!(offsets.advanced(), [(0, 6)]);
        assert_eq!(offsets.advanced(), []);
        offsets.commit_failed(0);
        assert_eq!(offsets.advanced(), [(0, 6)]);
    }
}
