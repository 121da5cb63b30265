//! One flush from beginning to end: dead letters acknowledged, the batch committed, however long that takes.

use std::{mem::take, sync::Arc};

use recap_service::{backoff::Backoff, clock::unix_millis};
use recap_store::{Attempt, Batch, BatchFlush, Entry, FlushError, GenerationId, Target};
use recap_telemetry::{BatchFigures, FlushOutcome, ProjectorMetrics, ResetReason, names::span};
use tracing::Instrument;

use super::{
    isolation::Isolation,
    pending::Work,
    provenance::{FoldedChunk, Provenance},
    reread::Gone,
    seams::{DeadLetterSink, RecordSource},
};
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

/// How a flush ended.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Everything of these chunks is durable; the entries are clean.
    Done {
        entries: Vec<Entry>,
        chunks: Vec<FoldedChunk>,
    },
    /// Another generation is live: the records are to be folded again, for it.
    GenerationChanged { live: GenerationId, provenance: Provenance },
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
    /// Publishes the dead letters, then commits the batch. Ends only with everything durable, or with a reason to fold again or to stop.
    pub(super) async fn flush(
        &self,
        generation: GenerationId,
        mut work: Work,
        records: &impl RecordSource,
    ) -> Result<Flushed, FlushFailure> {
        let span = tracing::info_span!(
            "flush",
            otel.name = span::FLUSH,
            events = work.events,
            conversations = work.batch.conversations.len()
        );
        work.producers.attach(&span);
        async {
            if !work.dead_letters.is_empty() {
                self.dead_letters.publish(take(&mut work.dead_letters)).await;
            }
            let live = match self.write(generation, &mut work.batch, work.events).await {
                Ok(()) => None,
                Err(Setback::GenerationChanged(live)) => Some(live),
                Err(Setback::Failed(error)) => return Err(FlushFailure::Store(error)),
                Err(Setback::Refused(error)) => {
                    tracing::warn!(
                        error,
                        events = work.events,
                        "the database refuses a batch; looking for the events at fault"
                    );
                    self.metrics.reset(ResetReason::Refused);
                    work.batch = Batch::default();
                    let isolation = Isolation::new(self, generation);
                    isolation.run(&mut work.provenance, records).await?
                }
            };
            if let Some(live) = live {
                let provenance = work.provenance;
                return Ok(Flushed::GenerationChanged { live, provenance });
            }
            self.record_freshness(&work);
            Ok(Flushed::Done {
                entries: work.batch.conversations,
                chunks: work.provenance.chunks,
            })
        }
        .instrument(span)
        .await
    }

    fn record_freshness(&self, work: &Work) {
        let produced = work.provenance.chunks.iter().filter_map(|chunk| chunk.oldest).min();
        if let (Some(event_micros), Some(produced)) = (work.oldest_event_micros, produced) {
            let now = unix_millis();
            let since_event = now - event_micros.div_euclid(1_000);
            self.metrics.committed(seconds(since_event), seconds(now - produced));
        }
    }

    /// Commits a batch, trying again for as long as the database is away.
    pub(super) async fn write(&self, generation: GenerationId, batch: &mut Batch, events: u64) -> Result<(), Setback> {
        // Counted with the first part that is written.
        let mut uncounted = events;
        let target = Target::Live(generation);
        let report = |attempt: Attempt<'_>| self.report(&attempt, &mut uncounted);
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

#[expect(clippy::cast_precision_loss, reason = "milliseconds of age are far below 2^52")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}
