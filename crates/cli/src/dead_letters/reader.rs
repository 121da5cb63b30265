//! Reads the dead-letter topic from its beginning to the end it has now.

use std::ops::ControlFlow;

use anyhow::{Context as _, ensure};
use rdkafka::Message as _;
use recap_log::{Cluster, Log, LogReader, Offsets, Partition};

use super::letter::{DeadLetter, Location};

fn open(cluster: &Cluster, topic: &str) -> anyhow::Result<LogReader> {
    let log = Log::new(cluster.clone(), [topic], "recap-dead-letters");
    Ok(LogReader::open(&log)?)
}

/// Gives every dead letter to `each`, in order within a partition.
pub fn read(
    cluster: &Cluster,
    topic: &str,
    mut each: impl FnMut(DeadLetter) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reader = open(cluster, topic)?;
    let end = reader.lookup().ends().context("Kafka cannot be read")?;
    let mut failure = None;
    reader.read_to(&end, |partition, message| {
        if message.offset() >= end.get(partition) {
            return ControlFlow::Continue(());
        }
        match each(DeadLetter::from_message(&message)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failure.map_or(Ok(()), Err)
}

/// The dead letter at this location, if there is one.
pub fn read_one(cluster: &Cluster, topic: &str, location: Location) -> anyhow::Result<Option<DeadLetter>> {
    let mut reader = open(cluster, topic)?;
    let partition = Partition::new(topic, location.partition);
    let (oldest, end) = (reader.lookup().oldest()?, reader.lookup().ends()?);
    ensure!(
        end.contains(&partition),
        "{topic} has no partition {}",
        location.partition
    );
    if !(oldest.get(&partition)..end.get(&partition)).contains(&location.offset) {
        return Ok(None);
    }
    reader.seek(Offsets::from_iter([(partition.clone(), location.offset)]))?;
    let mut letter = None;
    reader.read_to(&Offsets::from_iter([(partition, location.offset + 1)]), |_, message| {
        letter = Some(DeadLetter::from_message(&message));
        ControlFlow::Break(())
    })?;
    Ok(letter.filter(|letter| letter.location == location))
}
