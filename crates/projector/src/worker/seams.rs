//! What a worker needs from the world, besides a [`BatchFlush`](recap_store::BatchFlush): a place for dead letters, and its records once more.

use std::future::Future;

use tokio::sync::mpsc::Receiver;

use super::{provenance::Provenance, reread::Gone};
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
