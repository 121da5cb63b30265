//! The register behind `firstMessageText`.

use std::cmp::Reverse;

use recap_events::{Message, Millis, text_content_hash};

use crate::{Id, erased::Erased, stamp::Key};

/// The first message event that isn't the system's: least `(createdAt, messageId)`, and of those the greatest
/// order key, then the greater text.
#[derive(Debug, Clone)]
pub(crate) struct FirstTextRegister {
    pub created_at: Millis,
    pub message_id: Id,
    pub key: Key,
    /// The hash of its text; `None` when it has none.
    pub content: Option<u64>,
    pub text: Text,
}

/// Where the register's text is; of no meaning when there is none or when it is superseded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// In memory, still to be written.
    Held(Box<str>),
    /// In the row that the state came from or was written to.
    InRow,
}

impl PartialEq for FirstTextRegister {
    /// Where the text is doesn't count.
    fn eq(&self, other: &Self) -> bool {
        self.created_at == other.created_at
            && self.message_id == other.message_id
            && self.key == other.key
            && self.content == other.content
    }
}

impl Eq for FirstTextRegister {}

impl FirstTextRegister {
    /// `erased` is told of a text in rows that is not the first any more, and of the message that is in its place.
    pub fn apply(slot: &mut Option<Self>, key: &Key, message: &Message<'_>, erased: &mut Erased) -> bool {
        if message.role == "system" {
            return false;
        }
        if let Some(current) = slot {
            // Most messages aren't the first: told by one comparison.
            if message.created_at > current.created_at {
                return false;
            }
        }
        let text = message.text.as_deref();
        let candidate = Self {
            created_at: message.created_at,
            message_id: Id::new(&message.message_id),
            key: key.clone(),
            content: text.map(|text| text_content_hash(Some(text))),
            text: Text::InRow,
        };
        let wins = slot.as_ref().is_none_or(|current| candidate.precedes(current));
        if wins {
            candidate.displaces(slot.as_ref(), erased);
            *slot = Some(Self {
                text: text.map_or(Text::InRow, |text| Text::Held(Box::from(text))),
                ..candidate
            });
        }
        wins
    }

    /// `erased` as of [`Self::apply`].
    pub fn merge(slot: &mut Option<Self>, other: Option<&Self>, erased: &mut Erased) -> bool {
        let Some(other) = other else {
            return false;
        };
        let wins = slot.as_ref().is_none_or(|current| other.precedes(current));
        if wins {
            other.displaces(slot.as_ref(), erased);
            *slot = Some(other.clone());
        }
        wins
    }

    /// The text is in the row now.
    pub fn release(&mut self) {
        self.text = Text::InRow;
    }

    /// Whether rows may have its text.
    pub fn is_in_rows(&self) -> bool {
        self.content.is_some() && self.text == Text::InRow
    }

    fn displaces(&self, older: Option<&Self>, erased: &mut Erased) {
        // It may itself have taken the place of one in rows.
        let matters = |older: &&Self| older.is_in_rows() || erased.contains(&older.message_id);
        if let Some(older) = older.filter(matters) {
            erased.insert(&older.message_id);
            erased.insert(&self.message_id);
        }
    }

    fn precedes(&self, other: &Self) -> bool {
        self.rank() < other.rank()
    }

    fn rank(&self) -> (Millis, &Id, Reverse<(&Key, Option<u64>)>) {
        (self.created_at, &self.message_id, Reverse((&self.key, self.content)))
    }
}
