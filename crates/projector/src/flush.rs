//! One flush from beginning to end: dead letters acknowledged, the batch committed, however long that takes.

use std::{collections::HashSet, sync::Arc, time::Instant};

use recap_events::{Decoded, EventType};
use recap_store::{Batch, Entry, FlushError, FlushReport, GenerationId, Store, Target};
use recap_telemetry::{BatchFigures, EventOutcome, FlushOutcome, ProjectorMetrics, ResetReason, names::span};
use tracing::Instrument;

use crate::{
    backoff::Backoff,
    chunk::{Chunk, Record},
    clock::{rfc3339_now, unix_millis},
    dead_letters::{DeadLetter, Limit, Publisher, TooManyDeadLetters, format::REFUSED},
    health::Health,
    pending::{Fold, Work, read},
    reread::{Gone, Reread},
    source::{Place, Sources, Taken},
};

/// A refused batch is cut into this many pieces, again and again until the events at fault are alone.
const PIECES: usize = 8;

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
    Done { entries: Vec<Entry>, chunks: Vec<Taken> },
    /// Another generation is live: the records are to be folded again, for it.
    GenerationChanged { live: GenerationId, sources: Sources },
}

/// What a flush needs; shared by all workers.
#[derive(Debug)]
pub(crate) struct Flusher {
    pub store: Store,
    pub publisher: Publisher,
    pub limit: Limit,
    pub metrics: ProjectorMetrics,
    pub health: Arc<Health>,
}

/// How writing one batch ended, when it did not commit.
enum Setback {
    GenerationChanged(GenerationId),
    Refused(String),
    Failed(FlushError),
}

impl Flusher {
    /// Publishes the dead letters, then commits the batch. Ends only with everything durable, or with a reason to fold again or to stop.
    pub async fn flush(
        &self,
        generation: GenerationId,
        mut work: Work,
        reread: &Reread,
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
                self.publisher.publish(std::mem::take(&mut work.dead_letters)).await;
            }
            match self.write(generation, &mut work.batch, work.events).await {
                Ok(()) => {}
                Err(Setback::GenerationChanged(live)) => {
                    return Ok(Flushed::GenerationChanged {
                        live,
                        sources: work.sources,
                    });
                }
                Err(Setback::Failed(error)) => return Err(FlushFailure::Store(error)),
                Err(Setback::Refused(error)) => {
                    tracing::warn!(
                        error,
                        events = work.events,
                        "the database refuses a batch; looking for the events at fault"
                    );
                    self.metrics.reset(ResetReason::Refused);
                    work.batch = Batch::default();
                    let sources = &mut work.sources;
                    if let Some(live) = self.isolate(generation, sources, reread).await? {
                        return Ok(Flushed::GenerationChanged {
                            live,
                            sources: work.sources,
                        });
                    }
                }
            }
            self.fresh(&work);
            Ok(Flushed::Done {
                entries: work.batch.conversations,
                chunks: work.sources.taken,
            })
        }
        .instrument(span)
        .await
    }

    fn fresh(&self, work: &Work) {
        let taken = work.sources.taken.iter();
        let produced = taken.filter_map(|taken| taken.oldest).min();
        let (Some(event_micros), Some(produced)) = (work.oldest_event_micros, produced) else {
            return;
        };
        let now = unix_millis();
        self.metrics
            .committed(seconds(now - event_micros.div_euclid(1_000)), seconds(now - produced));
    }

    /// Commits a batch, trying again for as long as the database is away; in halves, when it is too much for the time a statement has.
    async fn write(&self, generation: GenerationId, batch: &mut Batch, mut events: u64) -> Result<(), Setback> {
        let mut parts = vec![std::mem::take(batch)];
        while let Some(mut part) = parts.pop() {
            if let Some(half) = self.write_part(generation, &mut part, events).await? {
                parts.extend([half, part]);
            } else {
                batch.conversations.append(&mut part.conversations);
                // Counted with the first part.
                events = 0;
            }
        }
        Ok(())
    }

    /// Commits a part of a batch, or takes half of it off.
    async fn write_part(
        &self,
        generation: GenerationId,
        part: &mut Batch,
        events: u64,
    ) -> Result<Option<Batch>, Setback> {
        let mut backoff = Backoff::new();
        let conversations = part.conversations.len();
        while !part.is_empty() {
            let started = Instant::now();
            let result = self.store.flush(Target::Live(generation), part).await;
            let figures = result.as_ref().map_or_else(
                |_| BatchFigures::default(),
                |report| figures(report, events, conversations as u64),
            );
            self.metrics.flushed(outcome(&result), started.elapsed(), figures);
            match result {
                Ok(_) => {
                    self.health.database(None);
                    return Ok(None);
                }
                Err(FlushError::Unavailable(error)) => {
                    tracing::warn!(%error, events, "the database is unavailable; trying the same batch again");
                    self.health.database(Some(error.to_string()));
                    self.metrics.flush_retried();
                    if error.is_timeout() && conversations > 1 {
                        return Ok(Some(half(part)));
                    }
                    backoff.wait().await;
                }
                Err(FlushError::GenerationChanged { live }) => {
                    return Err(Setback::GenerationChanged(live));
                }
                Err(FlushError::Refused(error)) => return Err(Setback::Refused(error.to_string())),
                Err(error) => return Err(Setback::Failed(error)),
            }
        }
        Ok(None)
    }

    /// Reads the records of a refused batch again and folds them in ever smaller pieces, each based on what is stored, until what the database takes
    /// is committed and each event it refuses is dead-lettered. Returns the live generation when that changed on the way.
    async fn isolate(
        &self,
        generation: GenerationId,
        sources: &mut Sources,
        reread: &Reread,
    ) -> Result<Option<GenerationId>, FlushFailure> {
        let mut read_again = reread.pieces(sources);
        while let Some(chunk) = read_again.recv().await {
            let chunk = chunk?;
            let mut pieces = vec![events_of(&chunk, &sources.refused)];
            while let Some(piece) = pieces.pop() {
                let mut batch = fold(&chunk, &piece);
                match self.write(generation, &mut batch, piece.len() as u64).await {
                    Ok(()) => {}
                    Err(Setback::GenerationChanged(live)) => return Ok(Some(live)),
                    Err(Setback::Failed(error)) => return Err(FlushFailure::Store(error)),
                    Err(Setback::Refused(_)) if piece.len() > 1 => pieces.extend(split(&piece)),
                    Err(Setback::Refused(error)) => {
                        self.dead_letter(&chunk, piece[0], &error).await?;
                        sources.refused.insert(piece[0].place());
                    }
                }
            }
        }
        Ok(None)
    }

    async fn dead_letter(&self, chunk: &Chunk, record: &Record, error: &str) -> Result<(), FlushFailure> {
        self.limit.count(0, 1)?;
        let event_type = match read(chunk, record) {
            Ok(Decoded::Event(event)) => Some(event.event_type()),
            _ => None,
        };
        let name = event_type.map(EventType::as_str);
        self.metrics.events(name.unwrap_or("unknown"), EventOutcome::Refused, 1);
        let letter = DeadLetter::new(chunk, record, REFUSED, error, name, &rfc3339_now());
        self.publisher.publish(vec![letter]).await;
        Ok(())
    }
}

/// Takes half of the conversations off a batch. Each is whole in itself, so they need not be written together.
fn half(batch: &mut Batch) -> Batch {
    let middle = batch.conversations.len() / 2;
    Batch {
        conversations: batch.conversations.split_off(middle),
        ..Batch::default()
    }
}

/// Every record that is an event, those refused before left out.
fn events_of<'c>(chunk: &'c Chunk, refused: &HashSet<Place>) -> Vec<&'c Record> {
    let is_event =
        |record: &&Record| matches!(read(chunk, record), Ok(Decoded::Event(_))) && !refused.contains(&record.place());
    chunk.records.iter().filter(is_event).collect()
}

fn split<'c>(piece: &[&'c Record]) -> Vec<Vec<&'c Record>> {
    let size = piece.len().div_ceil(PIECES).max(1);
    piece.chunks(size).map(<[_]>::to_vec).collect()
}

fn fold(chunk: &Chunk, piece: &[&Record]) -> Batch {
    let mut fold = Fold::default();
    for record in piece {
        if let Ok(Decoded::Event(event)) = read(chunk, record) {
            fold.event(&event, None);
        }
    }
    fold.into_batch(None)
}

fn outcome(result: &Result<FlushReport, FlushError>) -> FlushOutcome {
    match result {
        Ok(_) => FlushOutcome::Committed,
        Err(FlushError::GenerationChanged { .. }) => FlushOutcome::GenerationChanged,
        Err(FlushError::Refused(_)) => FlushOutcome::Refused,
        Err(FlushError::Unavailable(_)) => FlushOutcome::Unavailable,
        Err(_) => FlushOutcome::Failed,
    }
}

fn figures(report: &FlushReport, events: u64, conversations: u64) -> BatchFigures {
    BatchFigures {
        events,
        conversations,
        written: report.written,
        unchanged: report.unchanged,
        conflicts: report.conflicts,
        loaded: report.loaded,
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of age are far below 2^52")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}
