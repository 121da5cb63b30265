//! An entry made ready for its row.

use recap_summary::{Columns, Encoded, FirstText};

use crate::{Base, Entry};

/// Bytes of a text in an index: PostgreSQL refuses larger entries. Conversations with longer ones are busy for ever.
pub(crate) const MAX_LISTED_BYTES: usize = 512;

/// An entry, and what its row is to hold.
pub(crate) struct Prepared<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) revision: i64,
    pub(crate) encoded: Encoded,
    pub(crate) columns: Columns,
    /// Whether lists have it; a busy one they look for elsewhere.
    pub(crate) is_listed: bool,
}

impl<'a> Prepared<'a> {
    /// Encodes what changed of an entry whose base is known.
    pub(crate) fn changed(entry: &'a Entry, revision: i64, is_busy: bool) -> Self {
        Self::new(entry, revision, entry.delta.state.encode(), is_busy)
    }

    /// Encodes all of an entry that has no row yet.
    pub(crate) fn whole(entry: &'a Entry, revision: i64) -> Self {
        Self::new(entry, revision, entry.delta.state.encode_whole(), false)
    }

    fn new(entry: &'a Entry, revision: i64, encoded: Encoded, is_busy: bool) -> Self {
        let columns = entry.delta.state.columns();
        let fits = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= MAX_LISTED_BYTES);
        Self {
            entry,
            revision,
            encoded,
            is_listed: !is_busy && fits(&columns.agent_model) && fits(&columns.last_finish_reason),
            columns,
        }
    }

    /// What the row costs in the statement, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let text = match self.first_text() {
            FirstText::Set(Some(text)) => text.len(),
            FirstText::Set(None) | FirstText::Unchanged => 0,
        };
        let parts: usize = self.encoded.parts.iter().map(|(_, part)| part.len()).sum();
        512 + self.encoded.main.len() + parts + text
    }

    /// The revision that the row must still have; no row has revision 0.
    pub(crate) fn base_revision(&self) -> i64 {
        match self.entry.base {
            Base::Revision(revision) => revision,
            Base::Unknown | Base::Absent => 0,
        }
    }

    pub(crate) fn first_text(&self) -> FirstText<'_> {
        self.entry.delta.state.first_text()
    }
}
