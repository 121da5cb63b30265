//! What a flush writes.

mod builder;
mod profile;

use recap_summary::Delta;

pub(crate) use self::profile::Revision;
pub use self::{
    builder::BatchBuilder,
    profile::{AgentWrite, UserFields, UserWrite},
};
use crate::ConversationKey;

/// About what the slot of a map, two counted strings and the allocator take beside a state, in bytes.
const OVERHEAD: usize = 160;

/// The unit of a flush: all of it is committed, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Conversations, each key at most once, in any order.
    pub conversations: Vec<Entry>,
    /// User profiles, in any order; of several for one user the greatest is written.
    pub users: Vec<UserWrite>,
    /// Agent profiles, likewise.
    pub agents: Vec<AgentWrite>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty() && self.users.is_empty() && self.agents.is_empty()
    }

    /// Takes off the conversations from `at` on.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        Self {
            conversations: self.conversations.split_off(at),
            ..Self::default()
        }
    }
}

/// A conversation and what is to be written of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which conversation.
    pub key: ConversationKey,
    /// With a known base: the whole state, dirty where it differs from the row. With [`Base::Unknown`]: what is
    /// to be merged into the row.
    pub delta: Delta,
    /// What the state was based on.
    pub base: Base,
}

impl Entry {
    /// A delta of which nobody knows what the row holds.
    #[must_use]
    pub fn unknown(key: ConversationKey, delta: Delta) -> Self {
        Self {
            key,
            delta,
            base: Base::Unknown,
        }
    }

    /// An estimate of the memory a conversation takes in a map, in bytes.
    #[must_use]
    pub fn memory_bytes(key: &ConversationKey, delta: &Delta) -> usize {
        OVERHEAD + size_of::<Self>() + key.org_id.len() + key.conversation_id.len() + delta.heap_bytes()
    }
}

/// What is known of a conversation's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing: it is read first.
    Unknown,
    /// There was no row.
    Absent,
    /// The row had this revision, and its content is in the state.
    Revision(i64),
}
