//! What has lost content since a state was last written: other copies of the row may still have it.

use std::collections::BTreeSet;

use crate::Id;

/// The ids of messages, tool calls and feedback that an event deleted, or took a readable content from. Mostly none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Erased(BTreeSet<Id>);

impl Erased {
    pub fn insert(&mut self, id: &Id) {
        self.0.insert(id.clone());
    }

    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, id: &Id) -> bool {
        self.0.contains(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Id> {
        self.0.iter()
    }

    /// About the memory it takes.
    pub fn heap_bytes(&self) -> usize {
        // A node of a B-tree is half full at least.
        2 * size_of::<Id>() * self.0.len()
    }
}
