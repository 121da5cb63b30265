//! What is folded and not yet written: the changed states, the profiles, and the records they came from.
//!
//! The records are kept until the commit, because a folded event can't be unfolded: when the database refuses something, or another generation
//! goes live, the states are dropped and the records folded again.

use std::collections::HashMap;
use std::collections::hash_map;
use std::sync::Arc;
use std::time::{Duration, Instant};

use recap_events::{Body, Decoded, Event, EventType, Invalid, Skipped, decode};
use recap_store::{AgentWrite, Base, Batch, ConversationKey, Entry, UserWrite};
use recap_summary::Delta;
use recap_telemetry::propagation::Producers;
use recap_telemetry::{EventOutcome, ProjectorMetrics};

use crate::cache::StateCache;
use crate::chunk::{Chunk, Record};
use crate::clock::rfc3339_now;
use crate::dead_letters::DeadLetter;
use crate::dead_letters::format::UNREADABLE_HEADERS;

/// A batch ready to be written, and what is needed to make it again.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub batch: Batch,
    pub chunks: Vec<Chunk>,
    pub dead_letters: Vec<DeadLetter>,
    pub events: u64,
    pub oldest_event_micros: Option<i64>,
    pub producers: Producers,
}

/// Folding events into entries, with no thought of where they came from.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    entries: HashMap<ConversationKey, (Delta, Base)>,
    users: Vec<UserWrite>,
    agents: Vec<AgentWrite>,
    last_org: Option<Arc<str>>,
}

impl Fold {
    /// Folds one event into its entry; a state that is in the cache is taken from there.
    pub fn event(&mut self, event: &Event<'_>, cache: Option<&mut StateCache>) {
        match &event.body {
            Body::Conversation {
                conversation_id,
                change,
            } => {
                let org_id = self.org(&event.org_id);
                let key = ConversationKey::new(org_id, &**conversation_id);
                let (delta, base) = match self.entries.entry(key) {
                    hash_map::Entry::Occupied(entry) => entry.into_mut(),
                    hash_map::Entry::Vacant(entry) => {
                        let cached = cache.and_then(|cache| cache.take(entry.key()));
                        entry.insert(cached.unwrap_or((Delta::default(), Base::Unknown)))
                    }
                };
                let was_clean = *base != Base::Unknown && !delta.state.is_dirty();
                delta.apply(&event.id, event.time, change);
                if was_clean && !delta.state.is_dirty() {
                    // The row knows this event, and its payload was written with it.
                    delta.payloads.clear();
                }
            }
            Body::User { user_id, profile } => {
                self.users.push(UserWrite::new(
                    &event.org_id,
                    user_id,
                    &event.id,
                    event.time,
                    profile.as_ref(),
                ));
            }
            Body::Agent { agent_id, profile } => {
                self.agents.push(AgentWrite::new(
                    &event.org_id,
                    *agent_id,
                    &event.id,
                    event.time,
                    profile,
                ));
            }
        }
    }

    /// Organizations come in runs: their name is shared by the keys of a run.
    fn org(&mut self, org_id: &str) -> Arc<str> {
        match &self.last_org {
            Some(last) if **last == *org_id => Arc::clone(last),
            _ => {
                let org: Arc<str> = org_id.into();
                self.last_org = Some(Arc::clone(&org));
                org
            }
        }
    }

    /// Everything folded, as a batch. Entries in which nothing changed go back to the cache.
    pub fn into_batch(self, cache: Option<&mut StateCache>) -> Batch {
        let mut conversations = Vec::with_capacity(self.entries.len());
        let mut unchanged = Vec::new();
        for (key, (delta, base)) in self.entries {
            let clean = base != Base::Unknown && !delta.state.is_dirty();
            let entry = Entry { key, delta, base };
            if clean {
                unchanged.push(entry);
            } else {
                conversations.push(entry);
            }
        }
        if let Some(cache) = cache {
            for entry in unchanged {
                cache.put(entry);
            }
        }
        Batch {
            conversations,
            users: self.users,
            agents: self.agents,
        }
    }
}

/// The batch that grows while the one before it is written.
#[derive(Debug)]
pub(crate) struct Pending {
    fold: Fold,
    work: Work,
    records: usize,
    since: Option<Instant>,
    bytes: usize,
    metrics: ProjectorMetrics,
}

/// The events of a chunk by outcome and type, counted before they are reported.
#[derive(Default)]
struct Counts {
    folded: [u64; EventType::ALL.len()],
    unknown: u64,
    null: u64,
    invalid: [u64; EventType::ALL.len() + 1],
}

impl Pending {
    pub fn new(metrics: ProjectorMetrics) -> Self {
        Self {
            fold: Fold::default(),
            work: Work::default(),
            records: 0,
            since: None,
            bytes: 0,
            metrics,
        }
    }

    /// Folds a chunk. Records already dead-lettered are passed over; those that are now are collected. Returns their number.
    pub fn fold(&mut self, mut chunk: Chunk, cache: &mut StateCache) -> usize {
        let started = Instant::now();
        let first = self.work.dead_letters.len();
        let mut counts = Counts::default();
        let mut dead = Vec::new();
        let mut now = None;
        for (place, record) in chunk.records.iter().enumerate() {
            if chunk.dead.contains(&place) {
                continue;
            }
            match read(&chunk, record) {
                Ok(Decoded::Event(event)) => {
                    counts.folded[event.event_type() as usize] += 1;
                    let oldest = self
                        .work
                        .oldest_event_micros
                        .map_or(event.time.0, |oldest| oldest.min(event.time.0));
                    self.work.oldest_event_micros = Some(oldest);
                    self.work.producers.observe(chunk.headers(record));
                    self.fold.event(&event, Some(cache));
                }
                Ok(Decoded::Skipped(Skipped::UnknownType { .. })) => counts.unknown += 1,
                Ok(Decoded::Skipped(Skipped::NullValue)) => counts.null += 1,
                Ok(Decoded::Invalid(invalid)) => {
                    let now = now.get_or_insert_with(rfc3339_now);
                    counts.invalid[invalid
                        .event_type
                        .map_or(EventType::ALL.len(), |event_type| event_type as usize)] += 1;
                    dead.push(place);
                    self.work
                        .dead_letters
                        .push(dead_letter(&chunk, record, &invalid, now));
                }
                Err(UnreadableHeaders) => {
                    let now = now.get_or_insert_with(rfc3339_now);
                    counts.invalid[EventType::ALL.len()] += 1;
                    dead.push(place);
                    let error = "a header name is not UTF-8";
                    self.work.dead_letters.push(DeadLetter::new(
                        &chunk,
                        record,
                        UNREADABLE_HEADERS,
                        error,
                        None,
                        now,
                    ));
                }
            }
        }
        chunk.dead.extend(dead);
        self.work.events += counts.folded.iter().sum::<u64>();
        self.records += chunk.records.len();
        self.bytes += chunk.bytes();
        self.since.get_or_insert(started);
        self.work.chunks.push(chunk);
        self.report(&counts);
        self.metrics.processed(started.elapsed());
        self.work.dead_letters.len() - first
    }

    fn report(&self, counts: &Counts) {
        let known = EventType::ALL.iter().map(|event_type| event_type.as_str());
        for (name, &count) in known.clone().zip(&counts.folded) {
            self.count(name, EventOutcome::Folded, count);
        }
        for (name, &count) in known.chain(["unknown"]).zip(&counts.invalid) {
            self.count(name, EventOutcome::Invalid, count);
        }
        self.count("unknown", EventOutcome::UnknownType, counts.unknown);
        self.count("unknown", EventOutcome::NullValue, counts.null);
    }

    fn count(&self, event_type: &'static str, outcome: EventOutcome, count: u64) {
        if count > 0 {
            self.metrics.events(event_type, outcome, count);
        }
    }

    /// Takes back entries that were written: what came in meanwhile is joined to them, the others are kept for later.
    pub fn written(&mut self, entries: Vec<Entry>, cache: &mut StateCache) {
        for Entry {
            key,
            mut delta,
            base,
        } in entries
        {
            match self.fold.entries.entry(key) {
                hash_map::Entry::Occupied(mut meanwhile) => {
                    let (fresh, fresh_base) = meanwhile.get_mut();
                    // A state with a base is whole already; only a delta lacks what was just written.
                    if *fresh_base == Base::Unknown {
                        delta.merge(std::mem::take(fresh));
                        *fresh = delta;
                        *fresh_base = base;
                    }
                }
                hash_map::Entry::Vacant(entry) => {
                    cache.put(Entry {
                        key: entry.into_key(),
                        delta,
                        base,
                    });
                }
            }
        }
    }

    /// Everything so far, leaving nothing.
    pub fn take(&mut self, cache: &mut StateCache) -> Work {
        let mut work = std::mem::take(&mut self.work);
        work.batch = std::mem::take(&mut self.fold).into_batch(Some(cache));
        self.records = 0;
        self.bytes = 0;
        self.since = None;
        work
    }

    /// Drops the states and returns the records they came from, and the dead letters among them that are not published yet.
    pub fn unfold(&mut self) -> (Vec<Chunk>, Vec<DeadLetter>) {
        let work = std::mem::take(&mut self.work);
        self.fold = Fold::default();
        self.records = 0;
        self.bytes = 0;
        self.since = None;
        (work.chunks, work.dead_letters)
    }

    /// Puts unpublished dead letters back.
    pub fn put_dead_letters(&mut self, letters: Vec<DeadLetter>) {
        self.work.dead_letters.extend(letters);
    }

    /// Whether there is nothing to write, no dead letter to publish and no offset to move.
    pub fn is_empty(&self) -> bool {
        self.work.chunks.is_empty()
    }

    /// Records in it, those of no consequence included.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Conversations in it.
    pub fn conversations(&self) -> usize {
        self.fold.entries.len()
    }

    /// Bytes of its records.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long its first record has waited here.
    pub fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// When its first record came.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }
}

/// The headers of a record cannot be read, so neither can the event.
#[derive(Debug)]
pub(crate) struct UnreadableHeaders;

/// Decodes one record of a chunk.
pub(crate) fn read<'a>(
    chunk: &'a Chunk,
    record: &Record,
) -> Result<Decoded<'a>, UnreadableHeaders> {
    if record.unreadable_headers.is_some() {
        return Err(UnreadableHeaders);
    }
    Ok(decode(chunk.value(record), chunk.headers(record)))
}

fn dead_letter(chunk: &Chunk, record: &Record, invalid: &Invalid, now: &str) -> DeadLetter {
    let event_type = invalid.event_type.map(EventType::as_str);
    DeadLetter::new(
        chunk,
        record,
        invalid.reason.as_str(),
        &invalid.detail,
        event_type,
        now,
    )
}
