//! One record read: the event in it, or why it has none.

use recap_events::{Decoded, Event, EventType, Skipped, decode};

use crate::{
    dead_letters::{DeadLetter, format::UNREADABLE_HEADERS},
    intake::chunk::{Chunk, Record},
};

/// What a record holds.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every record is an event")]
pub(super) enum Reading<'a> {
    /// An event to fold.
    Event(Event<'a>),
    /// An event of a type that is not known.
    UnknownType,
    /// No value.
    NullValue,
    /// Nothing that can be folded.
    Invalid(Refusal),
}

/// Why a record is dead-lettered.
#[derive(Debug)]
pub(super) struct Refusal {
    /// A stable code.
    pub reason: &'static str,
    /// A sentence for people.
    pub error: String,
    /// The event's type, when that much could be read.
    pub event_type: Option<EventType>,
}

impl Refusal {
    /// The dead letter of the record. `now` is RFC 3339 in UTC.
    pub fn letter(&self, chunk: &Chunk, record: &Record, now: &str) -> DeadLetter {
        let event_type = self.event_type.map(EventType::as_str);
        DeadLetter::new(chunk, record, self.reason, &self.error, event_type, now)
    }
}

/// Reads one record of a chunk.
pub(super) fn read<'a>(chunk: &'a Chunk, record: &Record) -> Reading<'a> {
    if record.unreadable_headers.is_some() {
        return Reading::Invalid(Refusal {
            reason: UNREADABLE_HEADERS,
            error: "a header name is not UTF-8".to_owned(),
            event_type: None,
        });
    }
    match decode(chunk.value(record), chunk.headers(record), chunk.latest_time(record)) {
        Decoded::Event(event) => Reading::Event(event),
        Decoded::Skipped(Skipped::UnknownType { .. }) => Reading::UnknownType,
        Decoded::Skipped(Skipped::NullValue) => Reading::NullValue,
        Decoded::Invalid(invalid) => Reading::Invalid(Refusal {
            reason: invalid.reason.as_str(),
            error: invalid.detail,
            event_type: invalid.event_type,
        }),
    }
}
