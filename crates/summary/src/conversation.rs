//! The state of one conversation.

use recap_events::{Change, Micros};

use crate::{Columns, Payload};

/// The state of one conversation: everything its events said, as far as it can matter again.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    seen: Vec<(String, Micros)>,
    dirty: bool,
}

/// A state as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The row's own bytes.
    pub main: Vec<u8>,
    /// How many parts the state has; with one, it is inside `main`.
    pub part_count: u16,
    /// Number and bytes of the parts to be written, ascending; none when `part_count` is 1.
    pub parts: Vec<(u16, Vec<u8>)>,
}

/// What to do with the column `first_message_text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstText<'a> {
    /// The row holds it already: leave the column alone.
    Unchanged,
    /// Write this.
    Set(Option<&'a str>),
}

/// Why bytes are not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Written by a newer release.
    #[error(
        "the state has format version {version}, this release reads up to {}",
        1
    )]
    Newer {
        /// The version found.
        version: u8,
    },
    /// Not what any release writes.
    #[error("not a state: {0}")]
    Corrupt(&'static str),
}

impl PartialEq for Conversation {
    /// Compares content: what is still to be written doesn't count.
    fn eq(&self, other: &Self) -> bool {
        self.seen == other.seen
    }
}

impl Conversation {
    /// Folds one event. Returns the payload row to write when the event became the current revision of half a
    /// tool call or of a feedback; `None` for everything else, repeated and superseded events included.
    pub fn apply(&mut self, event_id: &str, time: Micros, _change: &Change<'_>) -> Option<Payload> {
        self.seen.push((event_id.to_owned(), time));
        self.dirty = true;
        None
    }

    /// Joins another state of the same conversation into this one; dirty is what that changed.
    pub fn merge(&mut self, other: &Self) {
        self.dirty |= !other.seen.is_empty();
        self.seen.extend_from_slice(&other.seen);
    }

    /// What the conversation shows.
    #[must_use]
    pub fn columns(&self) -> Columns {
        Columns::default()
    }

    /// Whether anything changed since [`Self::mark_clean`] or [`Self::decode`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// To be called when the row holds this state; drops the first text from memory.
    pub fn mark_clean(&mut self) {
        self.dirty = false;
    }

    /// The bytes to write: of several parts only those that changed, all of them if their number grew.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        self.encode_whole()
    }

    /// All bytes of the state.
    #[must_use]
    pub fn encode_whole(&self) -> Encoded {
        Encoded {
            main: vec![1],
            part_count: 1,
            parts: Vec::new(),
        }
    }

    /// Reads a state back: clean, the first text known to be in the row.
    pub fn decode(_main: &[u8], _parts: &[(u16, Vec<u8>)]) -> Result<Self, StateError> {
        Ok(Self::default())
    }

    /// What to do with the row's first text.
    #[must_use]
    pub fn first_text(&self) -> FirstText<'_> {
        FirstText::Unchanged
    }

    /// Whether `payload` is the current revision of what it is a revision of.
    #[must_use]
    pub fn is_current(&self, _payload: &Payload) -> bool {
        true
    }

    /// Whether the state has this revision of `payload`'s thing or a greater one.
    #[must_use]
    pub fn knows(&self, _payload: &Payload) -> bool {
        false
    }

    /// An estimate of the memory this takes beyond itself, in bytes; costs little.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        0
    }
}
