//! The opaque name of a place in a list, bound to the query it belongs to.
//!
//! A cursor grants nothing: organization, caller and filters come from the request. It is not a secret, so it is not signed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use recap_store::Position;

use crate::problem::Problem;

const VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = 8;
const HEAD_BYTES: usize = 1 + FINGERPRINT_BYTES + 8;
/// Ids are 1–255 bytes.
const MAX_ID_BYTES: usize = 255;
/// The first millisecond of the year 10000.
const END_OF_TIME: i64 = 253_402_300_800_000;

/// What a cursor is bound to.
#[derive(PartialEq, Eq)]
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

/// Writes the place after which the next page begins.
pub(crate) fn write(fingerprint: &Fingerprint, position: &Position) -> String {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + position.conversation_id.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&fingerprint.0);
    bytes.extend_from_slice(&position.updated_at_ms.to_be_bytes());
    bytes.extend_from_slice(position.conversation_id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A cursor as it came: well formed, but not yet known to belong to the query beside it.
pub(crate) struct Cursor {
    fingerprint: Fingerprint,
    position: Position,
}

/// Reads what [`write`] wrote.
pub(crate) fn decode(text: &str) -> Result<Cursor, Problem> {
    let unreadable = || Problem::parameter("cursor", "cursor is not one that this service gave out.");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| unreadable())?;
    let (head, id) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or_else(unreadable)?;
    let id = std::str::from_utf8(id).map_err(|_| unreadable())?;
    if head[0] != VERSION || id.is_empty() || id.len() > MAX_ID_BYTES || id.contains('\0') {
        return Err(unreadable());
    }
    let (fingerprint, updated_at) = head[1..].split_at(FINGERPRINT_BYTES);
    let updated_at = i64::from_be_bytes(updated_at.try_into().map_err(|_| unreadable())?);
    // A place outside the years that can be stored is not one that was given out.
    if !(0..END_OF_TIME).contains(&updated_at) {
        return Err(unreadable());
    }
    Ok(Cursor {
        fingerprint: Fingerprint(fingerprint.try_into().map_err(|_| unreadable())?),
        position: Position {
            updated_at_ms: updated_at,
            conversation_id: id.to_owned(),
        },
    })
}

impl Cursor {
    /// The place, if the cursor belongs to the query with this fingerprint; else a 400.
    pub(crate) fn of(self, query: &Fingerprint) -> Result<Position, Problem> {
        if self.fingerprint == *query {
            Ok(self.position)
        } else {
            Err(Problem::parameter("cursor", "cursor belongs to another query."))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place_in_its_query_only(updated_at_ms in 0..END_OF_TIME, id in "[^\0]{1,60}") {
            let position = Position { updated_at_ms, conversation_id: id };
            let query = Fingerprint::of("nested", "from=a");
            let text = write(&query, &position);
            prop_assert_eq!(decode(&text).unwrap().of(&query).unwrap(), position);
            prop_assert!(decode(&text).unwrap().of(&Fingerprint::of("nested", "from=b")).is_err());
            prop_assert!(decode(&text).unwrap().of(&Fingerprint::of("flat", "from=a")).is_err());
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = decode(&text);
        }
    }
}
