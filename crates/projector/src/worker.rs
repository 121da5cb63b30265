//! A worker: folds what comes in while the batch before is being written.
//!
//! `pending` is how batches grow, `flush` how they end (`flusher` writes them), `isolation` what happens to events that the database refuses, `state_cache` what is kept of
//! states between batches. `seams` names what a worker needs from the world.

mod event_counts;
mod flush;
mod flusher;
mod isolation;
mod pending;
mod provenance;
mod reading;
mod reread;
mod seams;
mod state_cache;

use std::sync::{Arc, mpsc};

use futures::{FutureExt as _, future::BoxFuture};
use recap_store::{BatchFlush, Entry, FlushError, GenerationId};
use recap_telemetry::{LevelShare, ResetReason};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinError, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use self::{
    flush::Flushed,
    pending::{Pass, Pending},
    provenance::Provenance,
    seams::{DeadLetterSink, RecordSource},
    state_cache::StateCache,
};
pub use self::{flusher::FlushFailure, seams::Gone};
pub(crate) use self::{flusher::Flusher, reread::Reread};
use crate::{
    Settings,
    intake::{
        Report,
        chunk::{Buffers, Chunk},
    },
    progress::Recreated,
};

/// Why a worker ended before its work did.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It cannot write.
    #[error(transparent)]
    Flush(#[from] FlushFailure),
    /// What is read is another topic now.
    #[error(transparent)]
    Recreated(#[from] Recreated),
    /// A task panicked.
    #[error("a task crashed: {0}")]
    Crashed(#[from] JoinError),
}

impl WorkerError {
    /// Why everything in memory rests on what is gone, the database or the log, and is to be begun anew; `None` where it is not.
    pub(crate) fn begins_anew(&self) -> Option<ResetReason> {
        match self {
            Self::Flush(FlushFailure::Store(FlushError::CommitsLost)) => Some(ResetReason::CommitsLost),
            Self::Recreated(_) => Some(ResetReason::TopicRecreated),
            _ => None,
        }
    }
}

/// A batch may hold this many conversations, however large they are.
const LEAST_CONVERSATIONS: usize = 16;

type InFlight = AbortOnDropHandle<Result<Flushed, FlushFailure>>;

/// A chunk whose schemas are looked up.
type LookedUp = BoxFuture<'static, Chunk>;

/// One of the workers; owns the states of the conversations routed to it.
pub(crate) struct Worker<W, D, R> {
    chunks: UnboundedReceiver<Chunk>,
    reports: mpsc::Sender<Report>,
    records: Arc<R>,
    flusher: Arc<Flusher<W, D>>,
    settings: Arc<Settings>,
    generation: GenerationId,
    cache: StateCache,
    pending: Pending,
    /// The most conversations in a batch, by the size of those in the last one.
    conversations_max: usize,
    /// Without a backlog no batch is due before.
    next_flush: Instant,
    /// About what the batch that is being written takes.
    in_flight_bytes: usize,
    dirty_level: LevelShare,
}

impl<W: BatchFlush, D: DeadLetterSink, R: RecordSource> Worker<W, D, R> {
    /// A worker that folds `chunks` for `generation`. `records` gives it its records once more.
    pub fn new(
        settings: &Arc<Settings>,
        flusher: &Arc<Flusher<W, D>>,
        generation: GenerationId,
        records: R,
        chunks: UnboundedReceiver<Chunk>,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let metrics = &flusher.metrics;
        Self {
            chunks,
            reports,
            records: Arc::new(records),
            generation,
            cache: StateCache::new(settings.cache_bytes / settings.workers, metrics.clone()),
            pending: Pending::new(metrics.clone()),
            conversations_max: usize::MAX,
            next_flush: Instant::now(),
            in_flight_bytes: 0,
            dirty_level: metrics.dirty_bytes.share(),
            flusher: Arc::clone(flusher),
            settings: Arc::clone(settings),
        }
    }

    /// Works until the consumer is gone and everything received is written.
    pub async fn run(mut self) -> Result<(), WorkerError> {
        let mut in_flight: Option<InFlight> = None;
        let mut looked_up: Option<LookedUp> = None;
        let mut open = true;
        loop {
            let idle = looked_up.is_some() || self.chunks.is_empty();
            if in_flight.is_none() && self.is_due(open, idle) {
                in_flight = Some(self.start_flush());
            }
            if !open && in_flight.is_none() && looked_up.is_none() && self.pending.is_empty() {
                return Ok(());
            }
            let lingers = in_flight.is_none() && !self.pending.is_empty();
            let receives = open && looked_up.is_none() && !self.is_full();
            tokio::select! {
                biased;
                flushed = ended(&mut in_flight), if in_flight.is_some() => {
                    in_flight = None;
                    self.flushed(flushed??).await?;
                }
                chunk = ready(&mut looked_up), if looked_up.is_some() => {
                    looked_up = None;
                    self.fold(chunk)?;
                }
                chunk = self.chunks.recv(), if receives => match chunk {
                    // What was folded before is written meanwhile.
                    Some(chunk) if chunk.lacks_schemas() => looked_up = Some(chunk.with_schemas().boxed()),
                    Some(chunk) => self.fold(chunk)?,
                    None => open = false,
                },
                () = tokio::time::sleep_until(self.next_flush), if lingers => {}
            }
        }
    }

    fn fold(&mut self, chunk: Chunk) -> Result<(), WorkerError> {
        let records = chunk.records.len();
        let dead = self.pending.fold_first(&chunk, &mut self.cache);
        let folded = Report::Folded(chunk.bytes(), Buffers::from(chunk));
        // The consumer thread is gone only when nobody commits any more.
        let _unheard = self.reports.send(folded);
        self.report();
        self.flusher.limit.count(records, dead).map_err(FlushFailure::from)?;
        Ok(())
    }

    /// Without a backlog a batch is due when the one before is a little while ago; with one, when it is old or full.
    fn is_due(&self, open: bool, idle: bool) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let lingered = idle && Instant::now() >= self.next_flush;
        !open || self.is_full() || self.pending.age() >= self.settings.max_age || lingered
    }

    /// A batch is full by its records, or by the memory it takes or may take while it is written.
    fn is_full(&self) -> bool {
        self.pending.records() >= self.settings.max_events
            || self.pending.bytes() >= self.settings.batch_bytes()
            || self.pending.conversations() >= self.conversations_max
    }

    /// Small events may belong to huge conversations, whose states are all in memory while they are written.
    fn limit_next_batch(&mut self, entries: &[Entry]) {
        let bytes: usize = entries.iter().map(|entry| entry.delta.heap_bytes()).sum();
        if let Some(average) = bytes.checked_div(entries.len()) {
            self.conversations_max = (self.settings.batch_bytes() / average.max(1)).max(LEAST_CONVERSATIONS);
        }
    }

    fn start_flush(&mut self) -> InFlight {
        self.next_flush = Instant::now() + self.settings.linger;
        self.in_flight_bytes = self.pending.bytes();
        let work = self.pending.take(&mut self.cache);
        self.cache.report();
        let flusher = Arc::clone(&self.flusher);
        let records = Arc::clone(&self.records);
        let generation = self.generation;
        AbortOnDropHandle::new(tokio::spawn(
            async move { flusher.flush(generation, work, &*records).await },
        ))
    }

    /// Exports what is not committed here now.
    fn report(&mut self) {
        self.dirty_level.set(self.pending.bytes() + self.in_flight_bytes);
    }

    async fn flushed(&mut self, flushed: Flushed) -> Result<(), WorkerError> {
        self.in_flight_bytes = 0;
        match flushed {
            Flushed::Done { entries, chunks } => {
                self.limit_next_batch(&entries);
                self.pending.written(entries, &mut self.cache);
                self.cache.report();
                self.report();
                let durable = chunks.iter().map(|chunk| (chunk.id, chunk.bytes));
                // The consumer thread is gone only when nobody commits any more.
                let _unheard = self.reports.send(Report::Durable(durable.collect()));
                Ok(())
            }
            Flushed::GenerationChanged { live, provenance } => self.refold(live, provenance).await,
        }
    }

    /// Everything held belongs to a generation that is no longer live: drops it, and reads and folds the records again.
    async fn refold(&mut self, live: GenerationId, mut provenance: Provenance) -> Result<(), WorkerError> {
        tracing::info!(from = %self.generation, to = %live, "another generation is live; folding again");
        self.flusher.metrics.reset(ResetReason::GenerationChanged);
        self.generation = live;
        self.cache.clear();
        let (more, dead_letters) = self.pending.unfold();
        provenance.extend(more);
        let mut chunks = self.records.pieces(&provenance);
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk.map_err(FlushFailure::from)?.with_schemas().await;
            let again = Pass::Again(&provenance.refused);
            self.pending.fold(&chunk, &mut self.cache, again);
        }
        self.pending.resume(provenance, dead_letters);
        Ok(())
    }
}

async fn ended(in_flight: &mut Option<InFlight>) -> Result<Result<Flushed, FlushFailure>, JoinError> {
    match in_flight {
        Some(handle) => handle.await,
        None => std::future::pending().await,
    }
}

async fn ready(looked_up: &mut Option<LookedUp>) -> Chunk {
    match looked_up {
        Some(chunk) => chunk.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
