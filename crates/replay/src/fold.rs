//! Events folded in memory, written as seldom as memory allows.

use std::collections::HashMap;
use std::sync::Arc;

use recap_events::{Body, Event};
use recap_store::{AgentWrite, Base, Batch, ConversationKey, Entry, UserWrite};
use recap_summary::Delta;

/// Conversations of one flush.
const BATCH_ROWS: usize = 5_000;
/// What a map entry takes beside what its delta says, in bytes.
const ENTRY_BYTES: usize = 200;
/// Profiles are counted with this many bytes and flushed with the first batch.
const PROFILE_BYTES: usize = 400;

/// Deltas by conversation, in a hot and a cold map: what is touched moves to the hot one, and when that
/// fills half of the budget the cold one is written and the hot one becomes cold.
pub struct Fold {
    budget: usize,
    /// What an entry that is not in memory is taken to be based on.
    base: Base,
    hot: HashMap<ConversationKey, Delta>,
    cold: HashMap<ConversationKey, Delta>,
    hot_bytes: usize,
    users: HashMap<(Arc<str>, Arc<str>), UserWrite>,
    agents: HashMap<(Arc<str>, i64), AgentWrite>,
}

impl Fold {
    /// Holds about `budget` bytes. `fresh`: into a generation that begins empty, so that a conversation
    /// is new more often than not.
    pub fn new(budget: usize, fresh: bool) -> Self {
        Self {
            budget,
            base: if fresh { Base::Absent } else { Base::Unknown },
            hot: HashMap::new(),
            cold: HashMap::new(),
            hot_bytes: 0,
            users: HashMap::new(),
            agents: HashMap::new(),
        }
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &Event<'_>) {
        match &event.body {
            Body::Conversation {
                conversation_id,
                change,
            } => {
                let key = ConversationKey::new(&*event.org_id, &**conversation_id);
                let cold = &mut self.cold;
                let hot_bytes = &mut self.hot_bytes;
                let delta = self.hot.entry(key).or_insert_with_key(|key| {
                    let delta = cold.remove(key).unwrap_or_default();
                    *hot_bytes += ENTRY_BYTES + delta.heap_bytes();
                    delta
                });
                let before = delta.heap_bytes();
                delta.apply(&event.id, event.time, change);
                self.hot_bytes += delta.heap_bytes().saturating_sub(before);
            }
            Body::User { user_id, profile } => {
                let write = UserWrite::new(
                    &event.org_id,
                    user_id,
                    &event.id,
                    event.time,
                    profile.as_ref(),
                );
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
                let write =
                    AgentWrite::new(&event.org_id, *agent_id, &event.id, event.time, profile);
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

    /// What has to be written now to stay within the budget.
    pub fn overflow(&mut self) -> Vec<Batch> {
        if self.hot_bytes < self.budget / 2 {
            return Vec::new();
        }
        let cold = std::mem::take(&mut self.hot);
        let written = std::mem::replace(&mut self.cold, cold);
        self.hot_bytes = 0;
        self.batches(written)
    }

    /// Everything, for a checkpoint.
    pub fn drain(&mut self) -> Vec<Batch> {
        let mut all = std::mem::take(&mut self.cold);
        all.extend(self.hot.drain());
        self.hot_bytes = 0;
        self.batches(all)
    }

    fn batches(&mut self, deltas: HashMap<ConversationKey, Delta>) -> Vec<Batch> {
        let base = self.base;
        let mut entries: Vec<Entry> = deltas
            .into_iter()
            .map(|(key, delta)| Entry { key, delta, base })
            .collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let mut batches = Vec::new();
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            batches.push(Batch {
                conversations: entries.by_ref().take(BATCH_ROWS).collect(),
                ..Batch::default()
            });
        }
        if !self.users.is_empty() || !self.agents.is_empty() {
            batches.push(Batch {
                conversations: Vec::new(),
                users: self.users.drain().map(|(_, write)| write).collect(),
                agents: self.agents.drain().map(|(_, write)| write).collect(),
            });
        }
        batches
    }
}
