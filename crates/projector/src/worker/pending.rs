//! What is folded and not yet written: the changed states, the profiles, and where the records they came from are.
//!
//! A folded event cannot be unfolded: when the database refuses something, or another generation goes live, the states are dropped and the records
//! read and folded again. Their own bytes are not kept, so that a batch may hold many events of the same conversations.

use std::{
    collections::HashSet,
    mem::take,
    time::{Duration, Instant},
};

use recap_mapping::Events;
use recap_service::clock::rfc3339_now;
use recap_store::{Batch, BatchBuilder, Entry};
use recap_telemetry::{ProjectorMetrics, propagation::Producers};

use super::{
    event_counts::EventCounts,
    provenance::{FoldedChunk, Provenance},
    reading::{Reading, read},
    state_cache::StateCache,
};
use crate::{
    dead_letters::DeadLetter,
    intake::chunk::{Chunk, LogPosition},
};

/// A batch ready to be written, and what is needed to make it again.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub batch: Batch,
    pub provenance: Provenance,
    pub dead_letters: Vec<DeadLetter>,
    pub events: u64,
    pub oldest_event_micros: Option<i64>,
    pub producers: Producers,
}

/// The batch that grows while the one before it is written.
#[derive(Debug)]
pub(super) struct Pending {
    builder: BatchBuilder,
    work: Work,
    records: usize,
    since: Option<Instant>,
    letter_bytes: usize,
    /// Memory for what mappings make of a record.
    mapped: Events,
    metrics: ProjectorMetrics,
}

/// Whether records are folded for the first time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pass<'a> {
    First,
    /// Again: what is no event has its dead letter, and so have these, which the database refused.
    Again(&'a HashSet<LogPosition>),
}

impl Pending {
    pub fn new(metrics: ProjectorMetrics) -> Self {
        Self {
            builder: BatchBuilder::default(),
            work: Work::default(),
            records: 0,
            since: None,
            letter_bytes: 0,
            mapped: Events::default(),
            metrics,
        }
    }

    /// Folds a chunk, and keeps where its records are. Returns the number of its dead letters.
    pub fn fold_first(&mut self, chunk: &Chunk, cache: &mut StateCache) -> usize {
        self.work.provenance.chunks.push(FoldedChunk::from(chunk));
        self.fold(chunk, cache, Pass::First)
    }

    /// Folds a chunk, and collects the dead letters of a first pass. Returns their number.
    pub fn fold(&mut self, chunk: &Chunk, cache: &mut StateCache, pass: Pass<'_>) -> usize {
        let started = Instant::now();
        let first = self.work.dead_letters.len();
        let mut counts = EventCounts::default();
        let mut now = None;
        for record in &chunk.records {
            if matches!(pass, Pass::Again(refused) if refused.contains(&record.position())) {
                continue;
            }
            let reading = read(chunk, record, &mut self.mapped);
            for event in reading.events() {
                counts.folded(event.event_type());
                let oldest = self.work.oldest_event_micros.get_or_insert(event.time.0);
                *oldest = event.time.0.min(*oldest);
                self.work.producers.observe(chunk.headers(record));
                self.builder.add_onto(event, |key| cache.take(key));
            }
            match reading {
                Reading::Event(_) => {}
                Reading::Mapped(_, unknown_types) => (0..unknown_types).for_each(|_| counts.unknown_type()),
                Reading::UnknownType => counts.unknown_type(),
                Reading::NullValue => counts.null_value(),
                Reading::Invalid(_) if matches!(pass, Pass::Again(_)) => {}
                Reading::Invalid(refusal) => {
                    let letter = refusal.letter(chunk, record, now.get_or_insert_with(rfc3339_now));
                    counts.invalid(refusal.event_type);
                    self.letter_bytes += letter.value.as_ref().map_or(0, Vec::len);
                    self.work.dead_letters.push(letter);
                }
            }
        }
        self.work.events += counts.events();
        self.records += chunk.records.len();
        self.since.get_or_insert(started);
        counts.report(&self.metrics);
        self.metrics.processed(started.elapsed());
        self.work.dead_letters.len() - first
    }

    /// Takes back entries that were written: those with events that came meanwhile stay here, the others are kept for later.
    pub fn written(&mut self, entries: Vec<Entry>, cache: &mut StateCache) {
        for entry in entries {
            if let Some(entry) = self.builder.join_written(entry) {
                cache.put(entry);
            }
        }
    }

    /// Everything so far, leaving nothing. Conversations in which nothing changed go back to the cache.
    pub fn take(&mut self, cache: &mut StateCache) -> Work {
        let batch = take(&mut self.builder).build_changed(|entry| cache.put(entry));
        Work {
            batch,
            ..self.take_work()
        }
    }

    /// Drops the states and returns where the records they came from are, and the dead letters among them that are not published yet.
    pub fn unfold(&mut self) -> (Provenance, Vec<DeadLetter>) {
        self.builder = BatchBuilder::default();
        let work = self.take_work();
        (work.provenance, work.dead_letters)
    }

    fn take_work(&mut self) -> Work {
        self.records = 0;
        self.letter_bytes = 0;
        self.since = None;
        take(&mut self.work)
    }

    /// Goes on from what [`Self::unfold`] returned, after the records were folded again.
    pub fn resume(&mut self, provenance: Provenance, letters: Vec<DeadLetter>) {
        self.work.provenance.extend(provenance);
        self.work.dead_letters.extend(letters);
    }

    /// Whether there is nothing to write, no dead letter to publish and no offset to move.
    pub fn is_empty(&self) -> bool {
        self.work.provenance.chunks.is_empty()
    }

    /// Records in it, those of no consequence included.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Conversations in it.
    pub fn conversations(&self) -> usize {
        self.builder.conversations()
    }

    /// About the memory it takes.
    pub fn bytes(&self) -> usize {
        self.builder.bytes() + self.letter_bytes
    }

    /// How long its first record has waited here.
    pub fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}
