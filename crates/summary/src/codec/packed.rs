//! Ids and times, packed against the time before them.

use recap_events::Micros;

use crate::{
    Id, StateError,
    bytes::{Reader, Writer, zigzag},
    id::Form,
};

/// Bits that say how an id is packed.
pub(super) const KIND_BITS: u32 = 3;
pub(super) const KIND_MASK: u16 = (1 << KIND_BITS) - 1;

const TEXT: u16 = 0;
const UUID: u16 = 1;
const UUID_NEAR: u16 = 2;
const ULID: u16 = 3;
const ULID_NEAR: u16 = 4;

/// A difference that takes at most four bytes is shorter than the six it replaces.
const NEAR: u64 = 1 << 28;

/// An id, ready to be written.
pub(super) enum PackedId<'a> {
    Text(&'a [u8]),
    Whole(u16, &'a [u8; 16]),
    /// The difference of its leading 48 bits from a time in milliseconds, and the other bytes.
    Near(u16, i64, &'a [u8]),
}

impl<'a> PackedId<'a> {
    pub fn new(id: &'a Id, millis: i64) -> Self {
        let (whole, near, bytes) = match id.form() {
            Form::Text(text) => return Self::Text(text),
            Form::Uuid(bytes) => (UUID, UUID_NEAR, bytes),
            Form::Ulid(bytes) => (ULID, ULID_NEAR, bytes),
        };
        let difference = leading_millis(bytes).wrapping_sub(millis);
        if zigzag(difference) < NEAR {
            Self::Near(near, difference, &bytes[6..])
        } else {
            Self::Whole(whole, bytes)
        }
    }

    pub fn kind(&self) -> u16 {
        match self {
            Self::Text(_) => TEXT,
            Self::Whole(kind, _) | Self::Near(kind, ..) => *kind,
        }
    }

    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::Text(text) => {
                writer.length(text.len());
                writer.raw(text);
            }
            Self::Whole(_, bytes) => writer.raw(&bytes[..]),
            Self::Near(_, difference, rest) => {
                writer.signed(*difference);
                writer.raw(rest);
            }
        }
    }
}

pub(super) fn read_id(reader: &mut Reader<'_>, kind: u16, millis: i64) -> Result<Id, StateError> {
    match kind {
        TEXT => {
            let length = reader.length(1)?;
            let text = str::from_utf8(reader.raw(length)?).map_err(|_| StateError::Corrupt("an id is not UTF-8"))?;
            Ok(Id::new(text))
        }
        UUID => reader.array().map(Id::from_uuid),
        ULID => reader.array().map(Id::from_ulid),
        UUID_NEAR => read_near(reader, millis).map(Id::from_uuid),
        ULID_NEAR => read_near(reader, millis).map(Id::from_ulid),
        _ => Err(StateError::Corrupt("an unknown kind of id")),
    }
}

fn read_near(reader: &mut Reader<'_>, millis: i64) -> Result<[u8; 16], StateError> {
    let leading = millis.wrapping_add(reader.signed()?).to_be_bytes();
    let rest: [u8; 10] = reader.array()?;
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&leading[2..]);
    bytes[6..].copy_from_slice(&rest);
    Ok(bytes)
}

fn leading_millis(bytes: &[u8; 16]) -> i64 {
    bytes[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte))
}

/// An event's time as whole milliseconds and the microseconds beyond them, mostly none.
pub(super) fn split(time: Micros) -> (i64, u16) {
    #[expect(clippy::cast_possible_truncation, reason = "a remainder of 1,000")]
    let micros = time.0.rem_euclid(1_000) as u16;
    (time.0.div_euclid(1_000), micros)
}

/// Reads what [`write_time`] wrote, after `millis`; returns the time and its milliseconds.
pub(super) fn read_time(reader: &mut Reader<'_>, has_micros: bool, millis: i64) -> Result<(Micros, i64), StateError> {
    let millis = millis.wrapping_add(reader.signed()?);
    let micros = if has_micros { reader.number()? } else { 0 };
    let micros = i64::try_from(micros)
        .ok()
        .filter(|micros| *micros < 1_000)
        .ok_or(StateError::Corrupt("a microsecond above 999"))?;
    let time = millis.wrapping_mul(1_000).wrapping_add(micros);
    Ok((Micros(time), time.div_euclid(1_000)))
}

/// Writes a time already split, after `before`.
pub(super) fn write_time(writer: &mut Writer, (millis, micros): (i64, u16), before: i64) {
    writer.signed(millis.wrapping_sub(before));
    if micros > 0 {
        writer.number(u64::from(micros));
    }
}
