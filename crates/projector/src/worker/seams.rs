//! What a worker needs from the world, besides a [`BatchFlush`](recap_store::BatchFlush): a place for dead letters, and its records once more.

use std::future::Future;

use recap_log::Partition;
use tokio::sync::mpsc::Receiver;

use super::provenance::Provenance;
use crate::{
    dead_letters::{DeadLetter, Publisher},
    intake::chunk::Chunk,
};

/// Where dead letters go.
pub(crate) trait DeadLetterSink: Send + Sync + 'static {
    /// Publishes these; returns once every one is durable.
    fn publish(&self, letters: Vec<DeadLetter>) -> impl Future<Output = ()> + Send;
}

impl DeadLetterSink for Publisher {
    fn publish(&self, letters: Vec<DeadLetter>) -> impl Future<Output = ()> + Send {
        Self::publish(self, letters)
    }
}

/// Where records are read again.
pub(crate) trait RecordSource: Send + Sync + 'static {
    /// Every record that was folded, in pieces; some perhaps repeatedly. A broker that is away is waited for.
    fn pieces(&self, provenance: &Provenance) -> Receiver<Result<Chunk, Gone>>;
}

/// Records are gone from the log before what they say was written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{partition}: records from offset {offset} on are gone from the log, and were not written yet; the log is kept for too short a time"
)]
pub struct Gone {
    partition: Partition,
    offset: i64,
}

impl Gone {
    pub(super) fn new(partition: &Partition, offset: i64) -> Self {
        Self {
            partition: partition.clone(),
            offset,
        }
    }
}
