//! A stable number for the content of a revision, to break ties of equal order keys alike everywhere.
//!
//! The number is part of what is stored, so the canonical form below never changes: the fields in the
//! order listed, each as one byte (0 absent, 1 present) and, when present, its length in bytes as a
//! little-endian `u64` followed by its bytes; times are 8 bytes little-endian, booleans one byte, JSON
//! its compact text. Ids that name the thing itself are left out, revisions share them. The hash is
//! XXH3-64 with seed 0, shifted right by one: it fits a signed `bigint` and compares the same there.

use xxhash_rust::xxh3::xxh3_64;

use crate::{AgentProfile, FeedbackSubmitted, Millis, RawJson, ToolCallFinished, ToolCallStarted, UserProfile};

/// The content of "there is nothing any more" (`user.deleted`, `feedback.withdrawn`): not less than any
/// content hash, so that erasure wins a tie.
pub const ERASED_CONTENT: u64 = u64::MAX >> 1;

/// The content of a message's `text`.
#[must_use]
pub fn text_content_hash(text: Option<&str>) -> u64 {
    Canonical::default().text(text).hash()
}

impl ToolCallStarted<'_> {
    /// Over `tool_name`, `args`, `message_id`, `started_at`.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        Canonical::default()
            .text(Some(&self.tool_name))
            .json(self.args.as_ref())
            .text(self.message_id.as_deref())
            .time(self.started_at)
            .hash()
    }
}

impl ToolCallFinished<'_> {
    /// Over `tool_name`, `result`, `error`, `finished_at`.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        Canonical::default()
            .text(self.tool_name.as_deref())
            .json(self.result.as_ref())
            .json(self.error.as_ref())
            .time(self.finished_at)
            .hash()
    }
}

impl FeedbackSubmitted<'_> {
    /// Over `helpful`, `comment`, `message_id`, `user_id`, `created_at`.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        Canonical::default()
            .bytes(Some(&[u8::from(self.helpful)]))
            .text(self.comment.as_deref())
            .text(self.message_id.as_deref())
            .text(self.user_id.as_deref())
            .time(self.created_at)
            .hash()
    }
}

impl UserProfile<'_> {
    /// Over `email`, `first_name`, `last_name`, `public_metadata`.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        Canonical::default()
            .text(self.email.as_deref())
            .text(self.first_name.as_deref())
            .text(self.last_name.as_deref())
            .json(self.public_metadata.as_ref())
            .hash()
    }
}

impl AgentProfile<'_> {
    /// Over `name`, `model`, `logo_url`.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        Canonical::default()
            .text(self.name.as_deref())
            .text(self.model.as_deref())
            .text(self.logo_url.as_deref())
            .hash()
    }
}

#[derive(Default)]
struct Canonical(Vec<u8>);

impl Canonical {
    fn bytes(mut self, field: Option<&[u8]>) -> Self {
        match field {
            None => self.0.push(0),
            Some(bytes) => {
                self.0.reserve(bytes.len() + 9);
                self.0.push(1);
                self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                self.0.extend_from_slice(bytes);
            }
        }
        self
    }

    fn text(self, field: Option<&str>) -> Self {
        self.bytes(field.map(str::as_bytes))
    }

    fn json(self, field: Option<&RawJson<'_>>) -> Self {
        self.text(field.map(RawJson::as_str))
    }

    fn time(self, field: Option<Millis>) -> Self {
        self.bytes(field.map(|time| time.0.to_le_bytes()).as_ref().map(|b| &b[..]))
    }

    fn hash(self) -> u64 {
        xxh3_64(&self.0) >> 1
    }
}
