//! The rows that a conversation's state points to: what is too large to be kept in it.

use std::collections::{
    BTreeMap,
    btree_map::{Entry, IntoValues},
};

use recap_events::Millis;

use crate::{Conversation, Id, Stamp};

/// One revision of one payload row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A deletion of a tool call: what is not after it is to be erased.
    ToolDeleted {
        /// Which call.
        tool_call_id: String,
        /// Which deletion.
        stamp: Stamp,
    },
    /// The first half of a tool call.
    ToolStarted {
        /// Which call.
        tool_call_id: String,
        /// Which revision of this half.
        stamp: Stamp,
        /// Which tool.
        tool_name: String,
        /// JSON text.
        args: Option<String>,
        /// The message that called it.
        message_id: Option<String>,
        /// `startedAt`, else the event's time.
        started_at: Millis,
    },
    /// The second half of a tool call. Without a first half the call is shown as started at `stamp.time`.
    ToolFinished {
        /// Which call.
        tool_call_id: String,
        /// Which revision of this half.
        stamp: Stamp,
        /// Which tool.
        tool_name: Option<String>,
        /// JSON text.
        result: Option<String>,
        /// JSON text.
        error: Option<String>,
        /// `finishedAt`, else the event's time.
        finished_at: Millis,
    },
    /// A feedback, submitted or withdrawn.
    Feedback {
        /// Which feedback.
        feedback_id: String,
        /// Which revision.
        stamp: Stamp,
        /// `None` when withdrawn.
        row: Option<FeedbackRow>,
    },
}

/// What a submitted feedback shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackRow {
    /// Thumbs up or down.
    pub helpful: bool,
    /// What the user wrote.
    pub comment: Option<String>,
    /// The message it is about.
    pub message_id: Option<String>,
    /// Who gave it.
    pub user_id: Option<String>,
    /// `createdAt`, else the event's time.
    pub created_at: Millis,
}

/// What a payload is a revision of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadKind {
    /// [`Payload::ToolDeleted`]
    ToolDeleted,
    /// [`Payload::ToolStarted`]
    ToolStarted,
    /// [`Payload::ToolFinished`]
    ToolFinished,
    /// [`Payload::Feedback`]
    Feedback,
}

impl Payload {
    /// What this is a revision of.
    #[must_use]
    pub const fn kind(&self) -> PayloadKind {
        match self {
            Self::ToolDeleted { .. } => PayloadKind::ToolDeleted,
            Self::ToolStarted { .. } => PayloadKind::ToolStarted,
            Self::ToolFinished { .. } => PayloadKind::ToolFinished,
            Self::Feedback { .. } => PayloadKind::Feedback,
        }
    }

    /// The id of the tool call or feedback.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::ToolDeleted { tool_call_id, .. }
            | Self::ToolStarted { tool_call_id, .. }
            | Self::ToolFinished { tool_call_id, .. } => tool_call_id,
            Self::Feedback { feedback_id, .. } => feedback_id,
        }
    }

    /// Which revision this is.
    #[must_use]
    pub const fn stamp(&self) -> &Stamp {
        match self {
            Self::ToolDeleted { stamp, .. }
            | Self::ToolStarted { stamp, .. }
            | Self::ToolFinished { stamp, .. }
            | Self::Feedback { stamp, .. } => stamp,
        }
    }

    /// Whether both are started halves, each of a message of its own.
    fn is_of_another_message(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::ToolStarted {
                    message_id: Some(mine), ..
                },
                Self::ToolStarted {
                    message_id: Some(theirs),
                    ..
                },
            ) => mine != theirs,
            _ => false,
        }
    }

    /// An estimate of the memory this takes, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let texts = match self {
            Self::ToolDeleted { .. } => 0,
            Self::ToolStarted {
                tool_name,
                args,
                message_id,
                ..
            } => tool_name.len() + len(args) + len(message_id),
            Self::ToolFinished {
                tool_name,
                result,
                error,
                ..
            } => len(tool_name) + len(result) + len(error),
            Self::Feedback { row, .. } => row
                .as_ref()
                .map_or(0, |row| len(&row.comment) + len(&row.message_id) + len(&row.user_id)),
        };
        size_of::<(Id, Self)>() + self.id().len() + self.stamp().event_id.heap_bytes() + texts
    }
}

/// Payloads still to be written: of each thing the greatest revision, and no half of a tool call that a deletion here erases.
#[derive(Debug, Clone, Default)]
pub struct Payloads {
    by_id: BTreeMap<(PayloadKind, Id), Payload>,
    heap_bytes: usize,
    /// Of tool calls whose started half took the place of another message's here, how often. Mostly none.
    reused: BTreeMap<Id, u64>,
}

impl PartialEq for Payloads {
    /// Compares what is to be written.
    fn eq(&self, other: &Self) -> bool {
        self.by_id == other.by_id
    }
}

impl Eq for Payloads {}

impl Payloads {
    /// Keeps `payload`, unless a greater revision of the same thing or a later deletion is there.
    pub fn insert(&mut self, payload: Payload) {
        let id = Id::new(payload.id());
        match payload.kind() {
            PayloadKind::ToolDeleted => self.erase_halves(&id, payload.stamp()),
            PayloadKind::ToolStarted | PayloadKind::ToolFinished if self.erases(&id, payload.stamp()) => return,
            _ => {}
        }
        match self.by_id.entry((payload.kind(), id)) {
            Entry::Vacant(entry) => {
                self.heap_bytes += payload.heap_bytes();
                entry.insert(payload);
            }
            Entry::Occupied(mut entry) => {
                if payload.stamp() > entry.get().stamp() {
                    if payload.is_of_another_message(entry.get()) {
                        *self.reused.entry(entry.key().1.clone()).or_default() += 1;
                    }
                    self.heap_bytes += payload.heap_bytes();
                    self.heap_bytes -= entry.insert(payload).heap_bytes();
                }
            }
        }
    }

    /// Drops the halves of a call that a deletion erases.
    fn erase_halves(&mut self, id: &Id, deletion: &Stamp) {
        for kind in [PayloadKind::ToolStarted, PayloadKind::ToolFinished] {
            if let Entry::Occupied(half) = self.by_id.entry((kind, id.clone()))
                && half.get().stamp() <= deletion
            {
                self.heap_bytes -= half.remove().heap_bytes();
            }
        }
    }

    /// Whether a deletion here erases that half of the call.
    fn erases(&self, id: &Id, half: &Stamp) -> bool {
        // Deletions are rare and in front.
        let any = self
            .by_id
            .first_key_value()
            .is_some_and(|((kind, _), _)| *kind == PayloadKind::ToolDeleted);
        any && self
            .by_id
            .get(&(PayloadKind::ToolDeleted, id.clone()))
            .is_some_and(|deletion| half <= deletion.stamp())
    }

    /// Keeps of each thing the greater revision.
    pub fn merge(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
        } else {
            for (id, count) in &other.reused {
                *self.reused.entry(id.clone()).or_default() += count;
            }
            for payload in other {
                self.insert(payload);
            }
        }
    }

    /// How often the started half of this tool call took the place of another message's here: an id that was used again.
    #[must_use]
    pub fn reuses(&self, tool_call_id: &str) -> u64 {
        if self.reused.is_empty() {
            return 0;
        }
        self.reused.get(&Id::new(tool_call_id)).copied().unwrap_or(0)
    }

    /// Drops what isn't the current revision in `state`.
    pub fn retain_current(&mut self, state: &Conversation) {
        self.retain(|payload| state.is_current(payload));
    }

    /// Drops what `stored`, a state as it was read from its row, knows already: the rows of that revision or
    /// a greater one were written with it. To be called before anything is merged into `stored`.
    pub fn retain_unknown_to(&mut self, stored: &Conversation) {
        self.retain(|payload| !stored.knows(payload));
    }

    fn retain(&mut self, wanted: impl Fn(&Payload) -> bool) {
        let heap_bytes = &mut self.heap_bytes;
        self.by_id.retain(|_, payload| {
            let keep = wanted(payload);
            if !keep {
                *heap_bytes -= payload.heap_bytes();
            }
            keep
        });
    }

    /// By kind, then by id in byte order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Payload> {
        self.by_id.values()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// An estimate of the memory they take, in bytes; costs nothing.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }
}

impl IntoIterator for Payloads {
    type Item = Payload;
    type IntoIter = IntoValues<(PayloadKind, Id), Payload>;

    /// By kind, then by id in byte order.
    fn into_iter(self) -> Self::IntoIter {
        self.by_id.into_values()
    }
}
