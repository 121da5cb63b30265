//! How far one call of [`super::LogReader::read_to`] has come.

use rdkafka::message::{BorrowedMessage, Message as _};

use crate::{LogError, OffsetLookup, Offsets, Partition};

/// The partition that records come from at the moment: they come by the hundred, and looking up its offsets each time adds up.
struct Current {
    partition: Partition,
    next: i64,
    goal: i64,
}

/// The way from a position to a target.
pub(super) struct Progress<'p> {
    target: &'p Offsets,
    position: &'p mut Offsets,
    current: Option<Current>,
    unfinished: usize,
}

impl<'p> Progress<'p> {
    pub(super) fn new(target: &'p Offsets, position: &'p mut Offsets) -> Self {
        let mut progress = Self {
            target,
            position,
            current: None,
            unfinished: 0,
        };
        progress.unfinished = progress.unfinished();
        progress
    }

    /// Whether every partition has passed the target.
    pub(super) fn is_done(&self) -> bool {
        self.unfinished == 0
    }

    /// Offsets left, those without a record included.
    pub(super) fn missing(&self) -> u64 {
        self.position.missing(self.target)
    }

    /// The partition of a record, which is the current one from now on.
    pub(super) fn enter(&mut self, message: &BorrowedMessage<'_>) -> &Partition {
        let same = self.current.as_ref().is_some_and(|current| {
            current.partition.number == message.partition() && &*current.partition.topic == message.topic()
        });
        if !same {
            self.leave();
        }
        let current = self.current.get_or_insert_with(|| {
            let partition = Partition::new(message.topic(), message.partition());
            Current {
                next: self.position.get(&partition),
                goal: self.target.get(&partition),
                partition,
            }
        });
        &current.partition
    }

    /// Moves the current partition to the offset after a record.
    pub(super) fn pass(&mut self, next: i64) {
        if let Some(current) = &mut self.current {
            if current.next < current.goal && next >= current.goal {
                self.unfinished -= 1;
            }
            current.next = next.max(current.next);
        }
    }

    /// Writes the current partition's offset into the position.
    pub(super) fn leave(&mut self) {
        if let Some(current) = self.current.take() {
            self.position.advance(&current.partition, current.next);
        }
    }

    /// Passes what is left of a partition where the brokers say that it holds no record.
    pub(super) fn probe_ends(&mut self, lookup: &OffsetLookup) -> Result<(), LogError> {
        self.leave();
        lookup.skip_empty_ends(self.position, self.target)?;
        self.unfinished = self.unfinished();
        Ok(())
    }

    fn unfinished(&self) -> usize {
        let behind = |(partition, end): &(&Partition, i64)| self.position.get(partition) < *end;
        self.target.iter().filter(behind).count()
    }
}
