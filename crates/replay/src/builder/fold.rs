//! Events folded in memory, written as seldom as memory allows.

use std::sync::{Arc, Mutex, PoisonError};

use recap_events::Event;
use recap_store::{Base, Batch, BatchBuilder, Entry};

use super::seen::Seen;

/// Conversations of one flush.
const BATCH_ROWS: usize = 5_000;
/// Profiles of one flush: a user's metadata are dozens of rows.
const BATCH_PROFILES: usize = 500;

/// What is to be written.
pub enum Work {
    /// Conversations that the generation has no rows of, sorted.
    New(Batch),
    /// Anything.
    Any(Batch),
}

/// Deltas in a hot and a cold builder: what an event changes moves to the hot one, and when that fills a third of the
/// budget the cold one is written and the hot one becomes cold. The last third is for what is being written meanwhile.
pub struct Fold {
    budget: usize,
    /// Of a generation that began empty: what was handed over for writing, by any fold.
    seen: Option<Arc<Mutex<Seen>>>,
    hot: BatchBuilder,
    cold: BatchBuilder,
}

impl Fold {
    /// Folds that hold about `budget` bytes together. `is_empty`: the generation
    /// has no rows, so that a conversation is new more often than not.
    pub fn several(count: usize, budget: usize, is_empty: bool) -> Vec<Self> {
        let seen = is_empty.then(|| Arc::new(Mutex::new(Seen::none())));
        let fold = |_| Self {
            budget: budget / count.max(1),
            seen: seen.clone(),
            hot: BatchBuilder::default(),
            cold: BatchBuilder::default(),
        };
        (0..count).map(fold).collect()
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &Event<'_>) {
        self.hot.add_onto(event, |key| self.cold.take(key));
    }

    /// What has to be written now to stay within the budget.
    pub fn overflow(&mut self) -> Vec<Work> {
        if self.hot.bytes() < self.budget / 3 {
            return Vec::new();
        }
        let cold = std::mem::take(&mut self.hot);
        let written = std::mem::replace(&mut self.cold, cold);
        self.work(written.build())
    }

    /// Everything, for a checkpoint.
    pub fn drain(&mut self) -> Vec<Work> {
        let mut all = std::mem::take(&mut self.cold).build();
        let mut hot = std::mem::take(&mut self.hot).build();
        all.conversations.append(&mut hot.conversations);
        all.users.append(&mut hot.users);
        all.agents.append(&mut hot.agents);
        self.work(all)
    }

    fn work(&self, batch: Batch) -> Vec<Work> {
        let Batch {
            mut conversations,
            users,
            agents,
        } = batch;
        conversations.sort_by(|a, b| a.key.cmp(&b.key));
        let (new, older) = self.divide(conversations);
        let users = batches(users, BATCH_PROFILES).map(|users| Batch {
            users,
            ..Batch::default()
        });
        let agents = batches(agents, BATCH_PROFILES).map(|agents| Batch {
            agents,
            ..Batch::default()
        });
        let of = |conversations| Batch {
            conversations,
            ..Batch::default()
        };
        let profiles = users.chain(agents).map(Work::Any);
        let new = batches(new, BATCH_ROWS).map(|new| Work::New(of(new)));
        let older = batches(older, BATCH_ROWS).map(|older| Work::Any(of(older)));
        profiles.chain(new).chain(older).collect()
    }

    /// Those that surely have no row, and the others.
    fn divide(&self, entries: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
        let Some(seen) = &self.seen else {
            return (Vec::new(), entries);
        };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut new, older): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| seen.insert(&entry.key));
        for entry in &mut new {
            entry.base = Base::Absent;
        }
        (new, older)
    }
}

fn batches<T>(items: Vec<T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let batch: Vec<T> = items.by_ref().take(size).collect();
        (!batch.is_empty()).then_some(batch)
    })
}
