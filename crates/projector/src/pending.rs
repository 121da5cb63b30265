//! What is folded and not yet written: the changed states, the profiles, and where the records they came from are.
//!
//! A folded event can't be unfolded: when the database refuses something, or another generation goes live, the states are dropped and the records
//! read and folded again. Their own bytes are not kept, so that a batch may hold many events of the same conversations.

use std::{
    collections::{HashMap, HashSet, hash_map},
    sync::Arc,
    time::{Duration, Instant},
};

use recap_events::{Body, Decoded, Event, EventType, Invalid, Skipped, decode};
use recap_store::{AgentWrite, Base, Batch, ConversationKey, Entry, UserWrite};
use recap_summary::Delta;
use recap_telemetry::{EventOutcome, ProjectorMetrics, propagation::Producers};

use crate::{
    cache::{StateCache, bytes},
    chunk::{Chunk, Record},
    clock::rfc3339_now,
    dead_letters::{DeadLetter, format::UNREADABLE_HEADERS},
    source::{Place, Sources, Taken},
};

/// A batch ready to be written, and what is needed to make it again.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub batch: Batch,
    pub sources: Sources,
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
    /// About what all of it takes.
    bytes: usize,
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
                        let found = cached.unwrap_or((Delta::default(), Base::Unknown));
                        self.bytes += bytes(entry.key(), &found.0);
                        entry.insert(found)
                    }
                };
                let before = delta.heap_bytes();
                let was_clean = *base != Base::Unknown && !delta.state.is_dirty();
                delta.apply(&event.id, event.time, change);
                if was_clean && !delta.state.is_dirty() {
                    // The row knows this event, and its payload was written with it.
                    delta.payloads.clear();
                }
                self.bytes = (self.bytes + delta.heap_bytes()).saturating_sub(before);
            }
            Body::User { user_id, profile } => {
                let profile = profile.as_ref();
                let write = UserWrite::new(&event.org_id, user_id, &event.id, event.time, profile);
                self.bytes += write.heap_bytes();
                self.users.push(write);
            }
            Body::Agent { agent_id, profile } => {
                let write = AgentWrite::new(&event.org_id, *agent_id, &event.id, event.time, profile);
                self.bytes += write.heap_bytes();
                self.agents.push(write);
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
    letter_bytes: usize,
    metrics: ProjectorMetrics,
}

/// Whether records are folded for the first time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pass<'a> {
    First,
    /// Again: what is no event has its dead letter, and so have these, which the database refused.
    Again(&'a HashSet<Place>),
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
            letter_bytes: 0,
            metrics,
        }
    }

    /// Takes a chunk in; from now on what was folded from it is here.
    pub fn take_in(&mut self, chunk: &Chunk, cache: &mut StateCache) -> usize {
        self.work.sources.taken.push(Taken::from(chunk));
        self.fold(chunk, cache, Pass::First)
    }

    /// Folds a chunk, and collects the dead letters of a first pass. Returns their number.
    pub fn fold(&mut self, chunk: &Chunk, cache: &mut StateCache, pass: Pass<'_>) -> usize {
        let started = Instant::now();
        let first = self.work.dead_letters.len();
        let mut counts = Counts::default();
        let mut now = None;
        for record in &chunk.records {
            if matches!(pass, Pass::Again(refused) if refused.contains(&record.place())) {
                continue;
            }
            let (event_type, letter) = match read(chunk, record) {
                Ok(Decoded::Event(event)) => {
                    counts.folded[event.event_type() as usize] += 1;
                    let oldest = self
                        .work
                        .oldest_event_micros
                        .map_or(event.time.0, |oldest| oldest.min(event.time.0));
                    self.work.oldest_event_micros = Some(oldest);
                    self.work.producers.observe(chunk.headers(record));
                    self.fold.event(&event, Some(cache));
                    continue;
                }
                Ok(Decoded::Skipped(Skipped::UnknownType { .. })) => {
                    counts.unknown += 1;
                    continue;
                }
                Ok(Decoded::Skipped(Skipped::NullValue)) => {
                    counts.null += 1;
                    continue;
                }
                Ok(Decoded::Invalid(_)) | Err(UnreadableHeaders) if matches!(pass, Pass::Again(_)) => {
                    continue;
                }
                Ok(Decoded::Invalid(invalid)) => {
                    let now = now.get_or_insert_with(rfc3339_now);
                    let letter = dead_letter(chunk, record, &invalid, now);
                    (invalid.event_type, letter)
                }
                Err(UnreadableHeaders) => {
                    let now = now.get_or_insert_with(rfc3339_now);
                    let error = "a header name is not UTF-8";
                    let letter = DeadLetter::new(chunk, record, UNREADABLE_HEADERS, error, None, now);
                    (None, letter)
                }
            };
            counts.invalid[event_type.map_or(EventType::ALL.len(), |event_type| event_type as usize)] += 1;
            self.letter_bytes += letter.value.as_ref().map_or(0, Vec::len);
            self.work.dead_letters.push(letter);
        }
        self.work.events += counts.folded.iter().sum::<u64>();
        self.records += chunk.records.len();
        self.since.get_or_insert(started);
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
        for Entry { key, mut delta, base } in entries {
            match self.fold.entries.entry(key) {
                hash_map::Entry::Occupied(mut meanwhile) => {
                    let (fresh, fresh_base) = meanwhile.get_mut();
                    // A state with a base is whole already; only a delta lacks what was just written.
                    if *fresh_base == Base::Unknown {
                        let before = fresh.heap_bytes();
                        delta.merge(std::mem::take(fresh));
                        *fresh = delta;
                        *fresh_base = base;
                        let sum = self.fold.bytes + fresh.heap_bytes();
                        self.fold.bytes = sum.saturating_sub(before);
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
        self.letter_bytes = 0;
        self.since = None;
        work
    }

    /// Drops the states and returns where the records they came from are, and the dead letters among them that are not published yet.
    pub fn unfold(&mut self) -> (Sources, Vec<DeadLetter>) {
        let work = std::mem::take(&mut self.work);
        self.fold = Fold::default();
        self.records = 0;
        self.letter_bytes = 0;
        self.since = None;
        (work.sources, work.dead_letters)
    }

    /// Goes on from what [`Self::unfold`] returned, after the records were folded again.
    pub fn resume(&mut self, sources: Sources, letters: Vec<DeadLetter>) {
        self.work.sources.extend(sources);
        self.work.dead_letters.extend(letters);
    }

    /// Whether there is nothing to write, no dead letter to publish and no offset to move.
    pub fn is_empty(&self) -> bool {
        self.work.sources.taken.is_empty()
    }

    /// Records in it, those of no consequence included.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Conversations in it.
    pub fn conversations(&self) -> usize {
        self.fold.entries.len()
    }

    /// About the memory it takes.
    pub fn bytes(&self) -> usize {
        self.fold.bytes + self.letter_bytes
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
pub(crate) fn read<'a>(chunk: &'a Chunk, record: &Record) -> Result<Decoded<'a>, UnreadableHeaders> {
    if record.unreadable_headers.is_some() {
        return Err(UnreadableHeaders);
    }
    Ok(decode(chunk.value(record), chunk.headers(record)))
}

fn dead_letter(chunk: &Chunk, record: &Record, invalid: &Invalid, now: &str) -> DeadLetter {
    let event_type = invalid.event_type.map(EventType::as_str);
    DeadLetter::new(chunk, record, invalid.reason.as_str(), &invalid.detail, event_type, now)
}
