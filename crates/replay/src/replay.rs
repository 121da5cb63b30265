//! What every operation works with.

use std::sync::Arc;

use recap_log::Log;
use recap_store::{GenerationId, GenerationStatus, Store};

use crate::{Observer, ReplayError};

/// One thread reads records from Kafka; it keeps about this many busy.
const FOLDS_MAX: usize = 4;

/// A log, the database that its projection is in, and what may be spent on replaying it. Each operation is a method, in a
/// file of its own.
#[derive(Clone)]
pub struct Replay {
    /// The database.
    pub store: Store,
    /// The log.
    pub log: Log,
    /// Sees how it gets on.
    pub observer: Arc<dyn Observer>,
    /// Bytes of states held in memory before the coldest are written.
    pub memory_bytes: usize,
    /// Threads that fold; they share the memory.
    pub folds: usize,
    /// Flushes that run at once.
    pub flushes: usize,
}

impl Replay {
    /// With the defaults of memory, threads and flushes.
    #[must_use]
    pub fn new(store: Store, log: Log, observer: Arc<dyn Observer>) -> Self {
        Self {
            store,
            log,
            observer,
            memory_bytes: 512 << 20,
            folds: std::thread::available_parallelism().map_or(2, |cores| cores.get().min(FOLDS_MAX)),
            flushes: 2,
        }
    }

    /// The newest generation of this status.
    pub(crate) async fn newest(&self, status: GenerationStatus) -> Result<Option<GenerationId>, ReplayError> {
        let generations = self.store.generations().await?;
        let newest = generations.iter().rev().find(|generation| generation.status == status);
        Ok(newest.map(|generation| generation.id))
    }
}
