//! What is kept of each message, tool call and feedback: enough to count it and to reject older revisions.

use recap_events::Millis;

use crate::{Id, Stamp, stamp::Key, symbols::Symbol, tokens::Tokens};

/// Something with an id, kept sorted by it.
pub(crate) trait Record {
    fn id(&self) -> &Id;

    /// Bytes outside the record.
    fn heap_bytes(&self) -> usize;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    User,
    Assistant,
    System,
    Other,
}

impl Role {
    pub fn of(name: &str) -> Self {
        match name {
            "user" => Self::User,
            "assistant" => Self::Assistant,
            "system" => Self::System,
            _ => Self::Other,
        }
    }
}

/// Of two contents under one order key the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content<S> {
    pub created_at: Millis,
    pub role: Role,
    pub tokens: Tokens,
    pub attachments: u32,
    pub finish_reason: S,
    /// Kept of assistant messages only: no other model is shown.
    pub model: S,
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub id: Id,
    pub key: Key,
    pub content: Content<Symbol>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolCall {
    pub id: Id,
    pub started: Option<Stamp>,
    pub finished: Option<Stamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    NotHelpful,
    Helpful,
    Withdrawn,
}

/// Feedback orders by stamp, then by verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feedback {
    pub id: Id,
    pub stamp: Stamp,
    pub verdict: Verdict,
}

impl Record for Message {
    fn id(&self) -> &Id {
        &self.id
    }

    fn heap_bytes(&self) -> usize {
        self.id.heap_bytes() + self.key.id.heap_bytes()
    }
}

impl Record for ToolCall {
    fn id(&self) -> &Id {
        &self.id
    }

    fn heap_bytes(&self) -> usize {
        let half = |half: &Option<Stamp>| half.as_ref().map_or(0, |s| s.event_id.heap_bytes());
        self.id.heap_bytes() + half(&self.started) + half(&self.finished)
    }
}

impl Record for Feedback {
    fn id(&self) -> &Id {
        &self.id
    }

    fn heap_bytes(&self) -> usize {
        self.id.heap_bytes() + self.stamp.event_id.heap_bytes()
    }
}
