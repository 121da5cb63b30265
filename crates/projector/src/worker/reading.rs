//! One record read: the event in it, those its mapping made of it, or why it has none.

use std::slice;

use recap_events::{Decoded, Event, EventType, Skipped, decode};
use recap_mapping::{Events, Mapped, Mapping};

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
    /// What the topic's mapping made of it: events to fold, which may be none, and how many of unknown types.
    Mapped(Vec<Event<'a>>, usize),
    /// An event of a type that is not known.
    UnknownType,
    /// No value.
    NullValue,
    /// Nothing that can be folded.
    Invalid(Refusal),
}

impl<'a> Reading<'a> {
    /// The events to fold.
    pub fn events(&self) -> &[Event<'a>] {
        match self {
            Self::Event(event) => slice::from_ref(event),
            Self::Mapped(events, _) => events,
            Self::UnknownType | Self::NullValue | Self::Invalid(_) => &[],
        }
    }
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

/// Reads one record of a chunk. What a mapping makes of it is kept in `mapped`.
pub(super) fn read<'a>(chunk: &'a Chunk, record: &Record, mapped: &'a mut Events) -> Reading<'a> {
    if record.unreadable_headers.is_some() {
        return Reading::Invalid(Refusal {
            reason: UNREADABLE_HEADERS,
            error: "a header name is not UTF-8".to_owned(),
            event_type: None,
        });
    }
    if let Some(mapping) = chunk.mapping(record) {
        return map(mapping, chunk, record, mapped);
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

fn map<'a>(mapping: &Mapping, chunk: &'a Chunk, record: &Record, mapped: &'a mut Events) -> Reading<'a> {
    let headers: Vec<_> = chunk.headers(record).collect();
    let source = recap_mapping::Record {
        topic: chunk.topic(record),
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: chunk.key(record),
        headers: &headers,
        value: chunk.value(record),
        schemas: chunk.schemas(),
    };
    match mapping.read(&source, chunk.latest_time(record), mapped) {
        Mapped::Events { events, unknown_types } => Reading::Mapped(events, unknown_types),
        Mapped::NullValue => Reading::NullValue,
        Mapped::Refused(refusal) => Reading::Invalid(Refusal {
            reason: refusal.reason,
            error: refusal.error,
            event_type: refusal.event_type,
        }),
    }
}
