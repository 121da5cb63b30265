//! A worker: folds what comes in while the batch before is being written.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use recap_store::{Entry, GenerationId};
use recap_telemetry::ResetReason;
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinError, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Settings,
    cache::StateCache,
    chunk::{Buffers, Chunk},
    consumer::level,
    flush::{FlushFailure, Flushed, Flusher},
    pending::{Pass, Pending},
    reread::Reread,
    router::Report,
    source::Sources,
};

/// Why a worker ended before its work did.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It cannot write.
    #[error(transparent)]
    Flush(#[from] FlushFailure),
    /// A task panicked.
    #[error("a task crashed: {0}")]
    Crashed(#[from] JoinError),
}

/// A batch may hold this many conversations, however large they are.
const LEAST_CONVERSATIONS: usize = 16;

type InFlight = AbortOnDropHandle<Result<Flushed, FlushFailure>>;

/// One of the workers; owns the states of the conversations routed to it.
pub(crate) struct Worker {
    pub chunks: UnboundedReceiver<Chunk>,
    pub reports: mpsc::Sender<Report>,
    pub reread: Arc<Reread>,
    pub flusher: Arc<Flusher>,
    pub settings: Arc<Settings>,
    pub generation: GenerationId,
    pub cache: StateCache,
    pub pending: Pending,
    /// The most conversations in a batch, by the size of those in the last one.
    pub conversations_max: usize,
    /// About what the batch that is being written takes.
    pub in_flight_bytes: usize,
    /// What was reported of both batches.
    pub reported_bytes: i64,
}

impl Worker {
    /// Works until the consumer is gone and everything taken is written.
    pub async fn run(mut self) -> Result<(), WorkerError> {
        let mut in_flight: Option<InFlight> = None;
        let mut open = true;
        loop {
            if in_flight.is_none() && self.is_due(open) {
                in_flight = Some(self.start_flush());
            }
            if !open && in_flight.is_none() && self.pending.is_empty() {
                return Ok(());
            }
            let lingered = self.lingered();
            let lingers = in_flight.is_none() && !self.pending.is_empty();
            let takes = open && !self.is_full();
            tokio::select! {
                biased;
                flushed = done(&mut in_flight), if in_flight.is_some() => {
                    in_flight = None;
                    self.flushed(flushed??).await?;
                }
                chunk = self.chunks.recv(), if takes => match chunk {
                    Some(chunk) => self.fold(chunk)?,
                    None => open = false,
                },
                () = tokio::time::sleep_until(lingered), if lingers => {}
            }
        }
    }

    fn fold(&mut self, chunk: Chunk) -> Result<(), WorkerError> {
        let records = chunk.records.len();
        let dead = self.pending.take_in(&chunk, &mut self.cache);
        let folded = Report::Folded(chunk.bytes(), Buffers::from(chunk));
        // The consumer thread is gone only when nobody commits any more.
        let _unheard = self.reports.send(folded);
        self.report();
        self.flusher.limit.count(records, dead).map_err(FlushFailure::from)?;
        Ok(())
    }

    /// Without a backlog a batch is due after a short wait for company; with one, when it is old or full.
    fn is_due(&self, open: bool) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let age = self.pending.age();
        let idle = self.chunks.is_empty();
        !open || self.is_full() || age >= self.settings.max_age || (idle && age >= self.settings.linger)
    }

    /// A batch is full by its records, or by the memory it takes or may take while it is written.
    fn is_full(&self) -> bool {
        self.pending.records() >= self.settings.max_events
            || self.pending.bytes() >= self.settings.batch_bytes()
            || self.pending.conversations() >= self.conversations_max
    }

    /// Small events may belong to huge conversations, whose states are all in memory while they are written.
    fn measure(&mut self, entries: &[Entry]) {
        let bytes: usize = entries.iter().map(|entry| entry.delta.heap_bytes()).sum();
        if let Some(average) = bytes.checked_div(entries.len()) {
            self.conversations_max = (self.settings.batch_bytes() / average.max(1)).max(LEAST_CONVERSATIONS);
        }
    }

    fn lingered(&self) -> Instant {
        let since = self.pending.since().map_or_else(Instant::now, Instant::from_std);
        since + self.settings.linger.max(Duration::from_micros(100))
    }

    fn start_flush(&mut self) -> InFlight {
        self.in_flight_bytes = self.pending.bytes();
        let work = self.pending.take(&mut self.cache);
        self.cache.report();
        let flusher = Arc::clone(&self.flusher);
        let reread = Arc::clone(&self.reread);
        let generation = self.generation;
        AbortOnDropHandle::new(tokio::spawn(
            async move { flusher.flush(generation, work, &reread).await },
        ))
    }

    /// Moves the shared level to what is not committed here now.
    fn report(&mut self) {
        let bytes = level(self.pending.bytes() + self.in_flight_bytes);
        let dirty = &self.flusher.metrics.dirty_bytes;
        dirty.add(bytes - std::mem::replace(&mut self.reported_bytes, bytes));
    }

    async fn flushed(&mut self, flushed: Flushed) -> Result<(), WorkerError> {
        self.in_flight_bytes = 0;
        match flushed {
            Flushed::Done { entries, chunks } => {
                self.measure(&entries);
                self.pending.written(entries, &mut self.cache);
                self.cache.report();
                self.report();
                let durable = chunks.iter().map(|taken| (taken.id, taken.bytes));
                // The consumer thread is gone only when nobody commits any more.
                let _unheard = self.reports.send(Report::Durable(durable.collect()));
                Ok(())
            }
            Flushed::GenerationChanged { live, sources } => self.refold(live, sources).await,
        }
    }

    /// Everything held belongs to a generation that is no longer live: drops it, and reads and folds the records again.
    async fn refold(&mut self, live: GenerationId, mut sources: Sources) -> Result<(), WorkerError> {
        tracing::info!(from = %self.generation, to = %live, "another generation is live; folding again");
        self.flusher.metrics.reset(ResetReason::GenerationChanged);
        self.generation = live;
        self.cache.clear();
        let (more, dead_letters) = self.pending.unfold();
        sources.extend(more);
        let mut read_again = self.reread.pieces(&sources);
        while let Some(chunk) = read_again.recv().await {
            let chunk = chunk.map_err(FlushFailure::from)?;
            let again = Pass::Again(&sources.refused);
            self.pending.fold(&chunk, &mut self.cache, again);
        }
        self.pending.resume(sources, dead_letters);
        Ok(())
    }
}

async fn done(in_flight: &mut Option<InFlight>) -> Result<Result<Flushed, FlushFailure>, JoinError> {
    match in_flight {
        Some(handle) => handle.await,
        None => std::future::pending().await,
    }
}
