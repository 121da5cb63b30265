//! The opaque name of a position in a list, bound to the query it belongs to.
//!
//! A cursor names a position and grants nothing: organization, caller and filters come from the request. It carries a tag, the hash of the
//! position together with the query, the organization and whose rows are in reach. An altered cursor and one of another query, another
//! organization or another user do not have the tag that the request asks for. The hash has no secret, so that every replica gives
//! out and accepts the same cursors with nothing to configure: whoever computes a tag has named a position in an own list.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use recap_store::Position;
use utoipa::openapi::{ObjectBuilder, path::ParameterBuilder, schema::Type};

use super::Value;
use crate::http::problem::Problem;

const VERSION: u8 = 2;
/// Where the tag's hash is at home: no other hash of this service is one of its tags.
const CONTEXT: &str = "recap-query 2026-11-26 tag of a cursor";
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + TAG_BYTES + 8;
/// Ids are 1–255 bytes.
const MAX_ID_BYTES: usize = 255;
/// Bytes of the longest cursor.
const MAX_TEXT_BYTES: usize = (HEAD_BYTES + MAX_ID_BYTES).div_ceil(3) * 4;

/// What a cursor is bound to.
#[derive(Debug, Clone)]
pub(crate) struct Binding(blake3::Hasher);

impl Binding {
    /// To these parts, each of its own meaning: an organization, whose rows are in reach, the filter, the shape of the list.
    pub(crate) fn to(parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hasher)
    }

    fn tag(&self, value: i64, conversation_id: &str) -> [u8; TAG_BYTES] {
        let mut hasher = self.0.clone();
        hasher.update(&value.to_be_bytes());
        hasher.update(conversation_id.as_bytes());
        let mut tag = [0; TAG_BYTES];
        hasher.finalize_xof().fill(&mut tag);
        tag
    }
}

/// A position after which a page begins. One that a caller gave is well formed, but not yet known to belong to the query beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cursor {
    tag: [u8; TAG_BYTES],
    value: i64,
    conversation_id: String,
}

impl Cursor {
    /// The cursor of `position` in the query with this binding.
    pub(crate) fn new(binding: &Binding, position: Position) -> Self {
        Self {
            tag: binding.tag(position.value, &position.conversation_id),
            value: position.value,
            conversation_id: position.conversation_id,
        }
    }

    /// The position, if the cursor was given out for the query with this binding; else a 400.
    pub(crate) fn position_in(&self, query: &Binding) -> Result<Position, Problem> {
        if self.tag != query.tag(self.value, &self.conversation_id) {
            let sentence = "cursor is not one that this service gave out for this query.";
            return Err(Problem::parameter("cursor", sentence));
        }
        Ok(Position {
            value: self.value,
            conversation_id: self.conversation_id.clone(),
        })
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (head, id) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let conversation_id = std::str::from_utf8(id).ok()?.to_owned();
        if head[0] != VERSION || id.is_empty() || id.len() > MAX_ID_BYTES || id.contains(&0) {
            return None;
        }
        let (tag, updated_at) = head[1..].split_at(TAG_BYTES);
        Some(Self {
            tag: tag.try_into().ok()?,
            value: i64::from_be_bytes(updated_at.try_into().ok()?),
            conversation_id,
        })
    }
}

impl Value for Cursor {
    fn read(text: &str) -> Result<Self, String> {
        Self::decode(text).ok_or_else(|| "is not one that this service gave out".to_owned())
    }

    fn canonical(&self) -> Cow<'_, str> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.conversation_id.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.tag);
        bytes.extend_from_slice(&self.value.to_be_bytes());
        bytes.extend_from_slice(self.conversation_id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes).into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        parameter.schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(MAX_TEXT_BYTES)),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// The first millisecond of the year 10000.
    const END_OF_TIME: i64 = 253_402_300_800_000;

    fn binding() -> Binding {
        Binding::to(&["org_a", "user:ada", "from=a", "nested"])
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position_in_its_query_only(value in 0..END_OF_TIME, id in "[^\0]{1,60}") {
            let position = Position { value, conversation_id: id };
            let cursor = Cursor::new(&binding(), position.clone());
            let read = Cursor::read(&cursor.canonical()).unwrap();
            prop_assert_eq!(read.position_in(&binding()).unwrap(), position);
            for other in [
                ["org_b", "user:ada", "from=a", "nested"],
                ["org_a", "user:lin", "from=a", "nested"],
                ["org_a", "user:ada", "from=b", "nested"],
                ["org_a", "user:ada", "from=a", "flat"],
                ["org_au", "ser:ada", "from=a", "nested"],
            ] {
                prop_assert!(read.position_in(&Binding::to(&other)).is_err());
            }
        }

        #[test]
        fn an_altered_cursor_leads_nowhere(
            value in 0..END_OF_TIME,
            id in "[^\0]{1,60}",
            at in any::<prop::sample::Index>(),
            with in "[A-Za-z0-9_-]",
            how in 0..4,
        ) {
            let cursor = Cursor::new(&binding(), Position { value, conversation_id: id });
            let text = cursor.canonical().into_owned();
            let at = at.index(text.len());
            let altered = match how {
                0 => format!("{}{with}{}", &text[..at], &text[at + 1..]),
                1 => format!("{}{with}{}", &text[..at], &text[at..]),
                2 => format!("{}{}", &text[..at], &text[at + 1..]),
                _ => text[..at].to_owned(),
            };
            prop_assume!(altered != text);
            let accepted = Cursor::read(&altered).is_ok_and(|read| read.position_in(&binding()).is_ok());
            prop_assert!(!accepted, "{} is {}", altered, text);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Cursor::read(&text);
        }
    }
}
