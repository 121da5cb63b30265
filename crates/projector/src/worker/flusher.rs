//! Writing batches: tried again for as long as the database is away.

use std::{mem::take, sync::Arc};

use recap_service::backoff::Backoff;
use recap_store::{Attempt, Batch, BatchFlush, FlushError, GenerationId, Target};
use recap_telemetry::{BatchFigures, FlushOutcome, ProjectorMetrics};

use super::seams::{DeadLetterSink, Gone};
use crate::{
    dead_letters::{Limit, TooManyDeadLetters},
    health::Health,
};

/// Why the projector cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FlushFailure {
    /// Waiting would not help: the schema or a stored state does not fit this program.
    #[error(transparent)]
    Store(FlushError),
    /// The limit of dead letters is reached.
    #[error(transparent)]
    TooManyDeadLetters(#[from] TooManyDeadLetters),
    /// Records that are to be folded again are not there any more.
    #[error(transparent)]
    Gone(#[from] Gone),
}

/// What a flush needs; shared by all workers.
#[derive(Debug)]
pub(crate) struct Flusher<W, D> {
    pub writer: W,
    pub dead_letters: D,
    pub limit: Limit,
    pub metrics: ProjectorMetrics,
    pub health: Arc<Health>,
}

/// Why writing a batch ended without a commit.
pub(super) enum Setback {
    GenerationChanged(GenerationId),
    Refused(String),
    Failed(FlushError),
}

impl<W: BatchFlush, D: DeadLetterSink> Flusher<W, D> {
    /// Commits a batch, trying again for as long as the database is away.
    pub(super) async fn write(&self, generation: GenerationId, batch: &mut Batch, events: u64) -> Result<(), Setback> {
        // Counted with the first part that is written.
        let mut uncounted = events;
        let target = Target::Live(generation);
        let mut under_way = self.health.flushing();
        let report = |attempt: Attempt<'_>| {
            under_way.again();
            self.report(&attempt, &mut uncounted);
        };
        let written = self
            .writer
            .flush_with_retries(target, take(batch), Backoff::new(), report);
        match written.await {
            Ok(written) => {
                *batch = written;
                Ok(())
            }
            Err(FlushError::GenerationChanged { live }) => Err(Setback::GenerationChanged(live)),
            Err(FlushError::Refused(error)) => Err(Setback::Refused(error.to_string())),
            Err(error) => Err(Setback::Failed(error)),
        }
    }

    fn report(&self, attempt: &Attempt<'_>, events: &mut u64) {
        let mut figures = BatchFigures::default();
        match attempt.result {
            Ok(report) => {
                figures = BatchFigures {
                    events: take(events),
                    conversations: attempt.conversations as u64,
                    written: report.written,
                    unchanged: report.unchanged,
                    conflicts: report.conflicts,
                    loaded: report.loaded,
                    reused_ids: report.reused_ids,
                };
                self.health.database(None);
            }
            Err(FlushError::Unavailable(error)) => {
                tracing::warn!(%error, events, "the database is unavailable; trying the same batch again");
                self.health.database(Some(error.to_string()));
                self.metrics.flush_retried();
            }
            Err(_) => {}
        }
        let outcome = outcome(attempt.result.err());
        self.metrics.flushed(outcome, attempt.elapsed, figures);
    }
}

fn outcome(error: Option<&FlushError>) -> FlushOutcome {
    match error {
        None => FlushOutcome::Committed,
        Some(FlushError::GenerationChanged { .. }) => FlushOutcome::GenerationChanged,
        Some(FlushError::Refused(_)) => FlushOutcome::Refused,
        Some(FlushError::Unavailable(_)) => FlushOutcome::Unavailable,
        Some(_) => FlushOutcome::Failed,
    }
}
