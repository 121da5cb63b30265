//! What a batch of events adds to one conversation.

use recap_events::{Change, Micros};

use crate::{Conversation, Payloads};

/// A state, and the payloads that its row needs written beside it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    /// The join of everything folded so far.
    pub state: Conversation,
    /// What is still to be written.
    pub payloads: Payloads,
}

impl Delta {
    /// Folds one event.
    pub fn apply(&mut self, event_id: &str, time: Micros, change: &Change<'_>) {
        if let Some(payload) = self.state.apply(event_id, time, change) {
            self.payloads.insert(payload);
        }
    }

    /// Joins another delta of the same conversation.
    pub fn merge(&mut self, other: Self) {
        self.state.merge(&other.state);
        self.payloads.merge(other.payloads);
    }

    /// An estimate of the memory this takes beyond itself, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.state.heap_bytes() + self.payloads.heap_bytes()
    }
}
