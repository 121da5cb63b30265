//! The opaque name of a position in a list, bound to the query it belongs to.
//!
//! A cursor grants nothing: organization, caller and filters come from the request. It is not a secret, so it is not signed.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use recap_store::Position;
use utoipa::openapi::{ObjectBuilder, path::ParameterBuilder, schema::Type};

use super::Value;
use crate::http::problem::Problem;

const VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = 8;
const HEAD_BYTES: usize = 1 + FINGERPRINT_BYTES + 8;
/// Ids are 1–255 bytes.
const MAX_ID_BYTES: usize = 255;
/// The first millisecond of the year 10000.
const END_OF_TIME: i64 = 253_402_300_800_000;

/// What a cursor is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; FINGERPRINT_BYTES]);

impl Fingerprint {
    /// Of a list's canonical query and its shape (nested or flat).
    pub(crate) fn of(shape: &str, canonical_query: &str) -> Self {
        let hash = blake3::hash(format!("{shape}?{canonical_query}").as_bytes());
        let mut bytes = [0; FINGERPRINT_BYTES];
        bytes.copy_from_slice(&hash.as_bytes()[..FINGERPRINT_BYTES]);
        Self(bytes)
    }
}

/// A position after which a page begins. One that a caller gave is well formed, but not yet known to belong to the query beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cursor {
    fingerprint: Fingerprint,
    updated_at_ms: i64,
    conversation_id: String,
}

impl Cursor {
    /// The cursor of `position` in the query with this fingerprint.
    pub(crate) fn new(fingerprint: Fingerprint, position: Position) -> Self {
        Self {
            fingerprint,
            updated_at_ms: position.updated_at_ms,
            conversation_id: position.conversation_id,
        }
    }

    /// The position, if the cursor belongs to the query with this fingerprint; else a 400.
    pub(crate) fn position_in(&self, query: Fingerprint) -> Result<Position, Problem> {
        if self.fingerprint != query {
            return Err(Problem::parameter("cursor", "cursor belongs to another query."));
        }
        Ok(Position {
            updated_at_ms: self.updated_at_ms,
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
        let (fingerprint, updated_at) = head[1..].split_at(FINGERPRINT_BYTES);
        let updated_at_ms = i64::from_be_bytes(updated_at.try_into().ok()?);
        // A time outside the years that can be stored is not one that was given out.
        if !(0..END_OF_TIME).contains(&updated_at_ms) {
            return None;
        }
        Some(Self {
            fingerprint: Fingerprint(fingerprint.try_into().ok()?),
            updated_at_ms,
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
        bytes.extend_from_slice(&self.fingerprint.0);
        bytes.extend_from_slice(&self.updated_at_ms.to_be_bytes());
        bytes.extend_from_slice(self.conversation_id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes).into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        parameter.schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1))))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position_in_its_query_only(updated_at_ms in 0..END_OF_TIME, id in "[^\0]{1,60}") {
            let position = Position { updated_at_ms, conversation_id: id };
            let query = Fingerprint::of("nested", "from=a");
            let cursor = Cursor::new(query, position.clone());
            let read = Cursor::read(&cursor.canonical()).unwrap();
            prop_assert_eq!(read.position_in(query).unwrap(), position);
            prop_assert!(read.position_in(Fingerprint::of("nested", "from=b")).is_err());
            prop_assert!(read.position_in(Fingerprint::of("flat", "from=a")).is_err());
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Cursor::read(&text);
        }
    }
}
