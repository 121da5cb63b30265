//! One flush from beginning to end: dead letters acknowledged, the batch committed, however long that takes.

use std::mem::take;

use recap_service::clock::unix_millis;
use recap_store::{Batch, BatchFlush, Entry, GenerationId};
use recap_telemetry::{ResetReason, names::span};
use tracing::Instrument;

use super::{
    flusher::{FlushFailure, Flusher, Setback},
    isolation::Isolation,
    pending::Work,
    provenance::{FoldedChunk, Provenance},
    seams::{DeadLetterSink, RecordSource},
};
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
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of age are far below 2^52")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}
