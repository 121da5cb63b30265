//! How far one call of [`super::LogReader::read_to`] has come.

use std::collections::BTreeSet;

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{BorrowedMessage, Message as _},
};

use super::PROBE_TIMEOUT;
use crate::{LogError, Offsets, Partition};

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
    /// Partitions whose end the broker has reported: what is left of them holds no record.
    at_end: BTreeSet<Partition>,
    unfinished: usize,
}

impl<'p> Progress<'p> {
    pub(super) fn new(target: &'p Offsets, position: &'p mut Offsets) -> Self {
        let mut progress = Self {
            target,
            position,
            current: None,
            at_end: BTreeSet::new(),
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
            if current.next < current.goal && next >= current.goal && !self.at_end.contains(&current.partition) {
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

    /// Asks the broker, partition by partition, whether what is left holds any record. rust-rdkafka's end-of-partition
    /// event names no topic (and it logs each as an error), so each question has a consumer of its own.
    pub(super) fn probe_ends(&mut self, config: &ClientConfig) -> Result<(), LogError> {
        self.leave();
        for (partition, end) in self.target.iter() {
            let next = self.position.get(partition);
            if next < end && !self.at_end.contains(partition) && is_end(config, partition, next)? {
                self.at_end.insert(partition.clone());
            }
        }
        self.unfinished = self.unfinished();
        Ok(())
    }

    fn unfinished(&self) -> usize {
        self.target
            .iter()
            .filter(|(partition, end)| self.position.get(partition) < *end && !self.at_end.contains(partition))
            .count()
    }
}

/// Whether no record can be read at this offset or after it.
fn is_end(config: &ClientConfig, partition: &Partition, next: i64) -> Result<bool, LogError> {
    let mut config = config.clone();
    let probe: BaseConsumer = config
        .set("enable.partition.eof", "true")
        .create()
        .map_err(LogError::kafka("create a consumer"))?;
    let position = Offsets::from_iter([(partition.clone(), next)]);
    probe
        .assign(&position.to_list()?)
        .map_err(LogError::kafka("choose partitions"))?;
    Ok(matches!(
        probe.poll(PROBE_TIMEOUT),
        Some(Err(KafkaError::PartitionEOF(_)))
    ))
}
