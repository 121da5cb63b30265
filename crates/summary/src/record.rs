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

/// What joining its like did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing.
    Unchanged,
    /// It knows more.
    Grown,
    /// It knows more, and has lost content that it had.
    Erased,
}

/// What a message is by its greatest order key. Of two revisions under one key the greater wins, so a deletion does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Revision<S> {
    Shown(Content<S>),
    Deleted,
}

impl<S: Copy> Revision<S> {
    /// The content, unless deleted.
    #[inline]
    pub const fn shown(&self) -> Option<&Content<S>> {
        match self {
            Self::Shown(content) => Some(content),
            Self::Deleted => None,
        }
    }

    /// The same with other strings.
    #[inline]
    pub fn map<T>(&self, mut string: impl FnMut(S) -> T) -> Revision<T> {
        match self {
            Self::Shown(content) => Revision::Shown(Content {
                created_at: content.created_at,
                role: content.role,
                tokens: content.tokens,
                attachments: content.attachments,
                finish_reason: string(content.finish_reason),
                model: string(content.model),
            }),
            Self::Deleted => Revision::Deleted,
        }
    }
}

/// What is kept of a message's content.
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
    pub revision: Revision<Symbol>,
}

impl Message {
    /// When it was written; `None` when it is deleted.
    #[inline]
    pub fn created_at(&self) -> Option<Millis> {
        self.revision.shown().map(|content| content.created_at)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolCall {
    pub id: Id,
    pub started: Option<Stamp>,
    pub finished: Option<Stamp>,
    /// The latest deletion; there is no half that is not after it.
    pub deleted: Option<Box<Stamp>>,
}

impl ToolCall {
    pub const fn started(id: Id, stamp: Stamp) -> Self {
        Self {
            id,
            started: Some(stamp),
            finished: None,
            deleted: None,
        }
    }

    pub const fn finished(id: Id, stamp: Stamp) -> Self {
        Self {
            id,
            started: None,
            finished: Some(stamp),
            deleted: None,
        }
    }

    pub fn deleted(id: Id, stamp: Stamp) -> Self {
        Self {
            id,
            started: None,
            finished: None,
            deleted: Some(Box::new(stamp)),
        }
    }

    /// Whether it has a half.
    pub const fn is_shown(&self) -> bool {
        self.started.is_some() || self.finished.is_some()
    }

    /// Joins what another state knows of the same call.
    pub fn join(&mut self, other: &Self) -> Outcome {
        let mut outcome = Outcome::Unchanged;
        if other.deleted > self.deleted {
            self.deleted.clone_from(&other.deleted);
            outcome = Outcome::Erased;
        }
        let deleted = self.deleted.as_deref();
        for (mine, theirs) in [
            (&mut self.started, &other.started),
            (&mut self.finished, &other.finished),
        ] {
            if theirs > mine && theirs.as_ref() > deleted {
                if mine.is_some() {
                    outcome = Outcome::Erased;
                } else if outcome == Outcome::Unchanged {
                    outcome = Outcome::Grown;
                }
                mine.clone_from(theirs);
            } else if mine.as_ref() <= deleted {
                *mine = None;
            }
        }
        outcome
    }
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

impl<'a> Revision<Option<&'a str>> {
    /// Whether this, in place of `older`, lacks one of its strings.
    pub fn lacks_a_string_of(&self, older: &Self) -> bool {
        let strings = |revision: &Self| {
            let content = revision.shown();
            content.map_or([None; 2], |content| [content.finish_reason, content.model])
        };
        let gone = |(old, new): (Option<&'a str>, Option<&'a str>)| old.is_some() && old != new;
        strings(older).into_iter().zip(strings(self)).any(gone)
    }
}

impl Feedback {
    /// Joins another revision of the same feedback.
    pub fn join(&mut self, other: &Self) -> Outcome {
        if (&other.stamp, other.verdict) <= (&self.stamp, self.verdict) {
            return Outcome::Unchanged;
        }
        self.stamp.clone_from(&other.stamp);
        self.verdict = other.verdict;
        Outcome::Erased
    }
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
        let deleted = self
            .deleted
            .as_ref()
            .map_or(0, |stamp| size_of::<Stamp>() + stamp.event_id.heap_bytes());
        self.id.heap_bytes() + half(&self.started) + half(&self.finished) + deleted
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
