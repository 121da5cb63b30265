//! Events become a batch.

use std::{hash::RandomState, sync::Arc};

use hashbrown::{
    Equivalent, HashMap, HashSet,
    hash_map::{Entry as MapEntry, EntryRef},
};
use recap_events::{Body, Change, Event};
use recap_summary::Delta;

use crate::{AgentWrite, Base, Batch, ConversationKey, Entry, UserWrite, batch::Revision};

/// Profiles by their owners.
type Revisions<W> = HashMap<<W as Revision>::Owner, W, RandomState>;

/// Folds events into the [`Batch`] that a flush writes: one delta a conversation, of each profile the greatest revision.
///
/// Events may come in any order, any number of times and through any number of builders: the rows are the same.
///
/// A caller that keeps states between batches offers them to [`Self::add_onto`], takes back with [`Self::build_changed`]
/// those that its events left unchanged, and with [`Self::join_written`] those that were written.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    conversations: HashMap<ConversationKey, (Delta, Base), RandomState>,
    users: Revisions<UserWrite>,
    agents: Revisions<AgentWrite>,
    /// One string an organization, shared by the keys of its conversations.
    organizations: HashSet<Arc<str>, RandomState>,
    bytes: usize,
}

impl BatchBuilder {
    /// Folds one event.
    pub fn add(&mut self, event: &Event<'_>) {
        self.add_onto(event, |_| None);
    }

    /// Folds one event. `known` gives what the caller holds of a conversation that is not in this batch yet, and is asked
    /// at most once a conversation: with a known base the whole state, else a delta that is still to be written.
    pub fn add_onto(&mut self, event: &Event<'_>, known: impl FnOnce(&ConversationKey) -> Option<(Delta, Base)>) {
        match &event.body {
            Body::Conversation {
                conversation_id,
                change,
            } => self.add_change(event, conversation_id, change, known),
            Body::User { user_id, profile } => {
                let write = UserWrite::new(&event.org_id, user_id, &event.id, event.time, profile.as_ref());
                self.bytes = self.bytes + write.memory_bytes() - keep_greatest(&mut self.users, write);
            }
            Body::Agent { agent_id, profile } => {
                let write = AgentWrite::new(&event.org_id, *agent_id, &event.id, event.time, profile);
                self.bytes = self.bytes + write.memory_bytes() - keep_greatest(&mut self.agents, write);
            }
        }
    }

    fn add_change(
        &mut self,
        event: &Event<'_>,
        conversation_id: &str,
        change: &Change<'_>,
        known: impl FnOnce(&ConversationKey) -> Option<(Delta, Base)>,
    ) {
        let borrowed = BorrowedKey {
            org_id: &event.org_id,
            conversation_id,
        };
        let (delta, base) = match self.conversations.entry_ref(&borrowed) {
            EntryRef::Occupied(entry) => entry.into_mut(),
            EntryRef::Vacant(entry) => {
                let org_id = Arc::clone(
                    self.organizations
                        .get_or_insert_with(&*event.org_id, |name| Arc::from(name)),
                );
                let key = ConversationKey::new(org_id, conversation_id);
                let (delta, base) = known(&key).unwrap_or((Delta::default(), Base::Unknown));
                self.bytes += Entry::memory_bytes(&key, &delta);
                entry.insert_with_key(key, (delta, base))
            }
        };
        let before = delta.heap_bytes();
        let was_unchanged = is_unchanged(delta, *base);
        delta.apply(&event.id, event.time, change);
        if was_unchanged && is_unchanged(delta, *base) {
            // The row knows this event, and its payload was written with it.
            delta.payloads.clear();
        }
        self.bytes = self.bytes + delta.heap_bytes() - before;
    }

    /// Hands over what is held of a conversation.
    pub fn take(&mut self, key: &ConversationKey) -> Option<(Delta, Base)> {
        let (delta, base) = self.conversations.remove(key)?;
        self.bytes -= Entry::memory_bytes(key, &delta);
        Some((delta, base))
    }

    /// Joins an entry that was just written with what was folded of its conversation meanwhile, which is then based on the
    /// written row. Returns the entry when there is nothing to join it with.
    #[must_use]
    pub fn join_written(&mut self, written: Entry) -> Option<Entry> {
        let Some((delta, base)) = self.conversations.get_mut(&written.key) else {
            return Some(written);
        };
        // A state with a base is whole already; only a delta lacks what was just written.
        if *base == Base::Unknown {
            let before = delta.heap_bytes();
            let mut meanwhile = std::mem::replace(delta, written.delta);
            meanwhile.payloads.retain_unknown_to(&delta.state);
            delta.merge(meanwhile);
            *base = written.base;
            self.bytes = self.bytes + delta.heap_bytes() - before;
        }
        None
    }

    /// What was folded, in no order.
    #[must_use]
    pub fn build(self) -> Batch {
        self.build_changed(drop)
    }

    /// What was folded, in no order. Entries that their events left as their rows are go to `unchanged` instead.
    pub fn build_changed(self, mut unchanged: impl FnMut(Entry)) -> Batch {
        let mut conversations = Vec::with_capacity(self.conversations.len());
        for (key, (delta, base)) in self.conversations {
            let is_unchanged = is_unchanged(&delta, base);
            let entry = Entry { key, delta, base };
            if is_unchanged {
                unchanged(entry);
            } else {
                conversations.push(entry);
            }
        }
        Batch {
            conversations,
            users: self.users.into_values().collect(),
            agents: self.agents.into_values().collect(),
        }
    }

    /// How many conversations are held, unchanged ones included.
    #[must_use]
    pub fn conversations(&self) -> usize {
        self.conversations.len()
    }

    /// An estimate of the memory of all that is held, in bytes; costs nothing.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Keeps the greater of two revisions of a profile. Returns the memory of the one that is dropped, in bytes.
fn keep_greatest<W: Revision>(held: &mut Revisions<W>, write: W) -> usize {
    match held.entry(write.owner()) {
        MapEntry::Vacant(entry) => {
            entry.insert(write);
            0
        }
        MapEntry::Occupied(entry) if entry.get().order() >= write.order() => write.memory_bytes(),
        MapEntry::Occupied(mut entry) => entry.insert(write).memory_bytes(),
    }
}

/// Whether the row holds this state.
fn is_unchanged(delta: &Delta, base: Base) -> bool {
    base != Base::Unknown && !delta.state.is_dirty()
}

/// A [`ConversationKey`] that owns nothing, to look one up by.
#[derive(Hash)]
struct BorrowedKey<'a> {
    org_id: &'a str,
    conversation_id: &'a str,
}

impl Equivalent<ConversationKey> for BorrowedKey<'_> {
    fn equivalent(&self, key: &ConversationKey) -> bool {
        *key.conversation_id == *self.conversation_id && *key.org_id == *self.org_id
    }
}

#[cfg(test)]
mod tests;
