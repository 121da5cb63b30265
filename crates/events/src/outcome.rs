//! What became of a record: an event, a reason to skip it, or a reason to refuse it.

use std::{borrow::Cow, fmt};

use crate::{Event, EventType};

/// What [`decode`](crate::decode) made of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every record is an event, and boxing it would cost an allocation each"
)]
pub enum Decoded<'a> {
    /// A valid event of a known type.
    Event(Event<'a>),
    /// Not for recap: counted, never dead-lettered.
    Skipped(Skipped<'a>),
    /// Against the contract: to be dead-lettered.
    Invalid(Invalid),
}

/// Why a record is passed over without being wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped<'a> {
    /// The event's `type` is none of [`EventType`].
    UnknownType {
        /// The `type` as sent; of any length and content.
        event_type: Cow<'a, str>,
    },
    /// The record has no value.
    NullValue,
}

impl Skipped<'_> {
    /// A stable kebab-case name, for counters.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownType { .. } => "unknown-type",
            Self::NullValue => "null-value",
        }
    }
}

/// A record that breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Which rule it breaks.
    pub reason: Reason,
    /// The event's type, when that much could be read.
    pub event_type: Option<EventType>,
    /// A sentence that names the field and never quotes its value, so that it may be logged.
    pub detail: String,
}

/// The rule that a record breaks. The names are stable: dead letters are filtered by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The value, or a `CloudEvents` header, is not UTF-8.
    NotUtf8,
    /// The value is not one JSON text (RFC 8259).
    NotJson,
    /// The value is a batch of events (`application/cloudevents-batch+json`).
    Batch,
    /// The value is in another event format than JSON, or its content type is that of no event.
    UnsupportedFormat,
    /// The event's `datacontenttype` is not JSON.
    UnsupportedDataType,
    /// `data_base64` is not Base64 (RFC 4648).
    NotBase64,
    /// A string, in whatever field, holds half of a surrogate pair.
    LoneSurrogate,
    /// A contract field stands twice in one object, its header twice in the record, or both `data` and `data_base64` in one event.
    DuplicateField,
    /// A required field is missing or `null`.
    MissingField,
    /// A contract field holds another JSON type than the contract's.
    WrongType,
    /// An id is empty, longer than 255 bytes, or holds U+0000.
    BadId,
    /// `role` or `toolName` is an empty string.
    EmptyString,
    /// A count or `agentId` lies outside its range.
    OutOfRange,
    /// A time is not RFC 3339, or lies outside the years 1970–9999 in UTC.
    BadTime,
    /// `publicMetadata` is not an object.
    MetadataNotObject,
    /// The event's `time` lies too far after its record's timestamp ([`MaxTimeAhead`](crate::MaxTimeAhead)).
    TimeAhead,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::NotUtf8,
        Self::NotJson,
        Self::Batch,
        Self::UnsupportedFormat,
        Self::UnsupportedDataType,
        Self::NotBase64,
        Self::LoneSurrogate,
        Self::DuplicateField,
        Self::MissingField,
        Self::WrongType,
        Self::BadId,
        Self::EmptyString,
        Self::OutOfRange,
        Self::BadTime,
        Self::MetadataNotObject,
        Self::TimeAhead,
    ];

    /// The stable kebab-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not-utf8",
            Self::NotJson => "not-json",
            Self::Batch => "batch",
            Self::UnsupportedFormat => "unsupported-format",
            Self::UnsupportedDataType => "unsupported-data-type",
            Self::NotBase64 => "not-base64",
            Self::LoneSurrogate => "lone-surrogate",
            Self::DuplicateField => "duplicate-field",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::BadId => "bad-id",
            Self::EmptyString => "empty-string",
            Self::OutOfRange => "out-of-range",
            Self::BadTime => "bad-time",
            Self::MetadataNotObject => "metadata-not-object",
            Self::TimeAhead => "time-ahead",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}
