//! What orders revisions of one thing.

use recap_events::Micros;

use crate::Id;

/// The order key of an event: the later time wins, the greater id breaks a tie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub time: Micros,
    pub id: Id,
}

/// Orders revisions whose content is kept elsewhere: the order key, then a hash of the content, so that
/// of two contents under one order key the same one wins everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The event's `time`.
    pub time: Micros,
    /// The event's `id`.
    pub event_id: Id,
    /// The content's hash, at most `i64::MAX`; [`recap_events::ERASED_CONTENT`] for a withdrawal.
    pub content: u64,
}

impl Key {
    pub(crate) fn stamp(self, content: u64) -> Stamp {
        Stamp {
            time: self.time,
            event_id: self.id,
            content,
        }
    }
}
