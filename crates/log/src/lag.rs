//! How far the consumer group is behind the log.

use rdkafka::Offset;

use crate::{Log, LogError, OffsetLookup, Offsets, Partition};

/// Measures the lag of a log's consumer group on the partitions that the topics had when this was opened.
pub struct Lag {
    lookup: OffsetLookup,
    partitions: Vec<Partition>,
    oldest: Offsets,
    /// Of a log that grows no more.
    ends: Option<Offsets>,
}

impl Lag {
    /// Looks up the partitions; a topic that does not exist has none.
    pub fn of(log: &Log) -> Result<Self, LogError> {
        let lookup = OffsetLookup::open(log)?;
        let partitions = lookup.partitions()?;
        Ok(Self {
            oldest: lookup.find(&partitions, Offset::Beginning)?,
            ends: None,
            lookup,
            partitions,
        })
    }

    /// Looks up the ends too, once: asking again is cheap then, and the log may not grow.
    pub fn of_finished(log: &Log) -> Result<Self, LogError> {
        let mut lag = Self::of(log)?;
        lag.ends = Some(lag.look_up_ends()?);
        Ok(lag)
    }

    /// Records that the group has not committed at this moment.
    pub fn now(&self) -> Result<u64, LogError> {
        let position = self.position()?;
        match &self.ends {
            Some(ends) => Ok(position.missing(ends)),
            None => Ok(position.missing(&self.look_up_ends()?)),
        }
    }

    fn position(&self) -> Result<Offsets, LogError> {
        let mut position = self.oldest.clone();
        for (partition, next) in self.lookup.committed_of(&self.partitions)?.iter() {
            position.set(partition.clone(), next);
        }
        Ok(position)
    }

    fn look_up_ends(&self) -> Result<Offsets, LogError> {
        self.lookup.find(&self.partitions, Offset::End)
    }
}
