//! States as bytes.
//!
//! The row's own bytes are the format version, the base-2 logarithm of the number of parts, the registers and,
//! when there is one part, its records; a part's own bytes are the format version and its records. Numbers are
//! LEB128, signed ones zigzag; times are differences from a time before them in the same bytes, for records are
//! sorted by id and ids mostly by time; 128-bit ids that begin with such a time, as `UUIDv7` (RFC 9562) and ULID
//! do, leave it out. Strings are in a dictionary per part.
//!
//! The format is pinned by a test. A change of it is a new version, and every version is read for ever. Bytes have the
//! least version that can say what they say, so that a release before reads all that it could have written itself.

mod packed;
mod records;
mod registers;

use crate::{
    StateError,
    bytes::{Reader, Writer},
    part::{self, MAX_PARTS, Part},
    register::Registers,
    tokens::Tokens,
};

/// Since this version messages and tool calls can be deleted.
const DELETIONS: u8 = 2;

/// The newest version.
const NEWEST: u8 = if DELETIONS > Tokens::VERSION {
    DELETIONS
} else {
    Tokens::VERSION
};

/// A state as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The row's own bytes.
    pub main: Vec<u8>,
    /// How many parts the state has, a power of two up to 4,096; with one, it is inside `main`.
    pub part_count: u16,
    /// Number and bytes of the parts to be written, ascending; none when `part_count` is 1.
    pub parts: Vec<(u16, Vec<u8>)>,
}

/// The bytes of the registers and of the wanted parts, all of them when there is only one.
pub(crate) fn encode(registers: &Registers, parts: &[Part], wanted: impl Fn(&Part) -> bool) -> Encoded {
    let count = parts.len();
    let records = match parts {
        [only] => only.weight,
        _ => 0,
    };
    let mut main = Writer::with_capacity(160 + records);
    #[expect(clippy::cast_possible_truncation, reason = "at most 12")]
    main.byte(count.trailing_zeros() as u8);
    registers::encode(&mut main, registers);
    let mut encoded = Vec::new();
    if let [only] = parts {
        records::encode(&mut main, only);
    } else {
        let numbered = (0_u16..).zip(parts);
        for (number, part) in numbered.filter(|(_, part)| wanted(part)) {
            let mut bytes = Writer::with_capacity(64 + part.weight);
            records::encode(&mut bytes, part);
            encoded.push((number, bytes.finish()));
        }
    }
    Encoded {
        main: main.finish(),
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_PARTS")]
        part_count: count as u16,
        parts: encoded,
    }
}

/// What [`encode`] wrote, of all parts.
pub(crate) fn decode(main: &[u8], parts: &[(u16, Vec<u8>)]) -> Result<(Registers, Vec<Part>), StateError> {
    let mut reader = Reader::new(main, NEWEST)?;
    let count = 1_usize
        .checked_shl(u32::from(reader.byte()?))
        .filter(|count| *count <= MAX_PARTS)
        .ok_or(StateError::Corrupt("too many parts"))?;
    let registers = registers::decode(&mut reader)?;
    if count == 1 {
        if !parts.is_empty() {
            return Err(StateError::Corrupt("parts beside the only one"));
        }
        let only = records::decode(&mut reader)?;
        reader.end()?;
        return Ok((registers, vec![only]));
    }
    reader.end()?;
    if parts.len() != count {
        return Err(StateError::Corrupt("a part is missing or too many"));
    }
    let mut decoded: Vec<Option<Part>> = Vec::new();
    decoded.resize_with(count, || None);
    for (number, bytes) in parts {
        let number = usize::from(*number);
        let slot = decoded
            .get_mut(number)
            .filter(|slot| slot.is_none())
            .ok_or(StateError::Corrupt("a part's number is wrong"))?;
        let mut reader = Reader::new(bytes, NEWEST)?;
        let part = records::decode(&mut reader)?;
        reader.end()?;
        if part.ids().any(|id| part::hash(id) & (count - 1) != number) {
            return Err(StateError::Corrupt("a record in the wrong part"));
        }
        *slot = Some(part);
    }
    Ok((registers, decoded.into_iter().flatten().collect()))
}
