//! Finding the events that the database refuses: a refused batch is folded again in ever smaller pieces.

use std::collections::HashSet;

use recap_events::{Event, EventType};
use recap_mapping::Events;
use recap_service::clock::rfc3339_now;
use recap_store::{Batch, BatchBuilder, BatchFlush, GenerationId};
use recap_telemetry::EventOutcome;

use super::{
    flusher::{FlushFailure, Flusher, Setback},
    provenance::Provenance,
    reading::{Refusal, read},
    seams::{DeadLetterSink, RecordSource},
};
use crate::{
    dead_letters::format::REFUSED,
    intake::chunk::{Chunk, LogPosition, Record},
};

/// A refused batch is cut into this many pieces, again and again until the events at fault are alone.
const PIECES: usize = 8;

/// A search for the events at fault.
pub(super) struct Isolation<'f, W, D> {
    flusher: &'f Flusher<W, D>,
    generation: GenerationId,
}

impl<'f, W: BatchFlush, D: DeadLetterSink> Isolation<'f, W, D> {
    pub fn new(flusher: &'f Flusher<W, D>, generation: GenerationId) -> Self {
        Self { flusher, generation }
    }

    /// Reads the records of a refused batch again and folds them in ever smaller pieces, each based on what is stored, until what the database takes
    /// is committed and each event it refuses is dead-lettered. Returns the live generation when that changed on the way.
    pub async fn run(
        &self,
        provenance: &mut Provenance,
        records: &impl RecordSource,
    ) -> Result<Option<GenerationId>, FlushFailure> {
        let mut chunks = records.pieces(provenance);
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk?.with_schemas().await;
            let mut pieces = vec![events_of(&chunk, &provenance.refused)];
            while let Some(piece) = pieces.pop() {
                let mut batch = fold(&chunk, &piece);
                let written = self.flusher.write(self.generation, &mut batch, piece.len() as u64);
                match written.await {
                    Ok(()) => {}
                    Err(Setback::GenerationChanged(live)) => return Ok(Some(live)),
                    Err(Setback::Failed(error)) => return Err(FlushFailure::Store(error)),
                    Err(Setback::Refused(_)) if piece.len() > 1 => pieces.extend(split(&piece)),
                    Err(Setback::Refused(error)) => {
                        self.dead_letter(&chunk, piece[0], error).await?;
                        provenance.refused.insert(piece[0].position());
                    }
                }
            }
        }
        Ok(None)
    }

    async fn dead_letter(&self, chunk: &Chunk, record: &Record, error: String) -> Result<(), FlushFailure> {
        self.flusher.limit.count(0, 1)?;
        let mut mapped = Events::default();
        let event_type = read(chunk, record, &mut mapped).events().first().map(Event::event_type);
        let name = event_type.map_or("unknown", EventType::as_str);
        self.flusher.metrics.events(name, EventOutcome::Refused, 1);
        let refusal = Refusal {
            reason: REFUSED,
            error,
            event_type,
        };
        let letter = refusal.letter(chunk, record, &rfc3339_now());
        self.flusher.dead_letters.publish(vec![letter]).await;
        Ok(())
    }
}

/// Every record with events, those refused before left out.
fn events_of<'c>(chunk: &'c Chunk, refused: &HashSet<LogPosition>) -> Vec<&'c Record> {
    let mut mapped = Events::default();
    let is_event = |record: &&Record| {
        !read(chunk, record, &mut mapped).events().is_empty() && !refused.contains(&record.position())
    };
    chunk.records.iter().filter(is_event).collect()
}

fn split<'c>(piece: &[&'c Record]) -> Vec<Vec<&'c Record>> {
    let size = piece.len().div_ceil(PIECES).max(1);
    piece.chunks(size).map(<[_]>::to_vec).collect()
}

fn fold(chunk: &Chunk, piece: &[&Record]) -> Batch {
    let mut builder = BatchBuilder::default();
    let mut mapped = Events::default();
    for record in piece {
        read(chunk, record, &mut mapped)
            .events()
            .iter()
            .for_each(|event| builder.add(event));
    }
    builder.build()
}
