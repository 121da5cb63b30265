//! Events folded in memory, written as seldom as memory allows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use recap_events::{Body, Change, Event};
use recap_store::{AgentWrite, Base, Batch, ConversationKey, Entry, UserWrite};
use recap_summary::Delta;

use crate::seen::Seen;

/// Conversations of one flush.
const BATCH_ROWS: usize = 5_000;
/// Profiles of one flush: a user's metadata are dozens of rows.
const BATCH_PROFILES: usize = 500;
/// What a map entry takes beside what its delta says, in bytes.
const ENTRY_BYTES: usize = 200;
/// Profiles are counted with this many bytes and flushed with the first batch.
const PROFILE_BYTES: usize = 400;

/// By organization and conversation: two maps can be asked for two borrowed strings, one for a pair of them cannot.
type Deltas = HashMap<Arc<str>, HashMap<Arc<str>, Delta>>;

/// What is to be written.
pub enum Work {
    /// Conversations that the generation has no rows of, sorted.
    New(Vec<Entry>),
    /// Anything.
    Any(Batch),
}

/// Deltas by conversation, in a hot and a cold map: what is touched moves to the hot one, and when that
/// fills a third of the budget the cold one is written and the hot one becomes cold. The last third is for what
/// is being written meanwhile.
pub struct Fold {
    budget: usize,
    /// Of a generation that began empty: what was handed over for writing, by any fold.
    seen: Option<Arc<Mutex<Seen>>>,
    hot: Deltas,
    cold: Deltas,
    hot_bytes: usize,
    users: HashMap<(Arc<str>, Arc<str>), UserWrite>,
    agents: HashMap<(Arc<str>, i64), AgentWrite>,
}

impl Fold {
    /// Folds that hold about `budget` bytes together. `fresh`: into a generation that begins empty, so that a
    /// conversation is new more often than not.
    pub fn several(count: usize, budget: usize, fresh: bool) -> Vec<Self> {
        let seen = fresh.then(|| Arc::new(Mutex::new(Seen::none())));
        let fold = |_| Self {
            budget: budget / count.max(1),
            seen: seen.clone(),
            hot: HashMap::new(),
            cold: HashMap::new(),
            hot_bytes: 0,
            users: HashMap::new(),
            agents: HashMap::new(),
        };
        (0..count).map(fold).collect()
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &Event<'_>) {
        match &event.body {
            Body::Conversation {
                conversation_id,
                change,
            } => self.apply_change(event, conversation_id, change),
            Body::User { user_id, profile } => {
                let write = UserWrite::new(&event.org_id, user_id, &event.id, event.time, profile.as_ref());
                let key = (Arc::clone(&write.org_id), Arc::clone(&write.user_id));
                self.hot_bytes += PROFILE_BYTES;
                match self.users.get_mut(&key) {
                    Some(held) if held.order() >= write.order() => {}
                    Some(held) => *held = write,
                    None => {
                        self.users.insert(key, write);
                    }
                }
            }
            Body::Agent { agent_id, profile } => {
                let write = AgentWrite::new(&event.org_id, *agent_id, &event.id, event.time, profile);
                let key = (Arc::clone(&write.org_id), write.agent_id);
                self.hot_bytes += PROFILE_BYTES;
                match self.agents.get_mut(&key) {
                    Some(held) if held.order() >= write.order() => {}
                    Some(held) => *held = write,
                    None => {
                        self.agents.insert(key, write);
                    }
                }
            }
        }
    }

    fn apply_change(&mut self, event: &Event<'_>, conversation_id: &str, change: &Change<'_>) {
        let org_id = &*event.org_id;
        let held = self.hot.get_mut(org_id);
        if let Some(delta) = held.and_then(|deltas| deltas.get_mut(conversation_id)) {
            let before = delta.heap_bytes();
            delta.apply(&event.id, event.time, change);
            self.hot_bytes += delta.heap_bytes().saturating_sub(before);
            return;
        }
        let cold = self.cold.get_mut(org_id);
        let (key, mut delta) = cold
            .and_then(|deltas| deltas.remove_entry(conversation_id))
            .unwrap_or_else(|| (conversation_id.into(), Delta::default()));
        delta.apply(&event.id, event.time, change);
        self.hot_bytes += ENTRY_BYTES + delta.heap_bytes();
        if let Some(deltas) = self.hot.get_mut(org_id) {
            deltas.insert(key, delta);
        } else {
            self.hot.insert(org_id.into(), HashMap::from([(key, delta)]));
        }
    }

    /// What has to be written now to stay within the budget.
    pub fn overflow(&mut self) -> Vec<Work> {
        if self.hot_bytes < self.budget / 3 {
            return Vec::new();
        }
        let cold = std::mem::take(&mut self.hot);
        let written = std::mem::replace(&mut self.cold, cold);
        self.hot_bytes = 0;
        self.work([written])
    }

    /// Everything, for a checkpoint.
    pub fn drain(&mut self) -> Vec<Work> {
        let all = [std::mem::take(&mut self.cold), std::mem::take(&mut self.hot)];
        self.hot_bytes = 0;
        self.work(all)
    }

    fn work(&mut self, deltas: impl IntoIterator<Item = Deltas>) -> Vec<Work> {
        let mut entries: Vec<Entry> = deltas
            .into_iter()
            .flatten()
            .flat_map(|(org_id, deltas)| {
                let entry = move |(id, delta)| Entry::unknown(ConversationKey::new(Arc::clone(&org_id), id), delta);
                deltas.into_iter().map(entry)
            })
            .collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let mut work = self.profiles();
        let (new, older) = self.divide(entries);
        work.extend(batches(new, BATCH_ROWS).map(Work::New));
        work.extend(batches(older, BATCH_ROWS).map(|conversations| {
            Work::Any(Batch {
                conversations,
                ..Batch::default()
            })
        }));
        work
    }

    fn profiles(&mut self) -> Vec<Work> {
        let users: Vec<UserWrite> = self.users.drain().map(|(_, write)| write).collect();
        let agents: Vec<AgentWrite> = self.agents.drain().map(|(_, write)| write).collect();
        let users = batches(users, BATCH_PROFILES).map(|users| Batch {
            users,
            ..Batch::default()
        });
        let agents = batches(agents, BATCH_PROFILES).map(|agents| Batch {
            agents,
            ..Batch::default()
        });
        users.chain(agents).map(Work::Any).collect()
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
