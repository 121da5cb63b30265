//! The dead letter: the original record with its key, value and headers, and why it is here in headers of our own. The letter is as young as its
//! publication, since brokers drop records by age and an event may be of last year.
//!
//! | header | value |
//! | --- | --- |
//! | `recap-topic`, `recap-partition`, `recap-offset` | where the record was read |
//! | `recap-timestamp` | the record's timestamp, in milliseconds since 1970, if it had one |
//! | `recap-reason` | a stable code: one of `recap_events::Reason`, `recap_mapping::MAPPING`, `recap_mapping::SCHEMA`, [`REFUSED`] or [`UNREADABLE_HEADERS`] |
//! | `recap-error` | a sentence for people; it quotes no value of the event |
//! | `recap-event-type` | the event's type, when that much could be read |
//! | `recap-first-failure` | RFC 3339, UTC: the first time this event was dead-lettered; kept over replays |
//! | `recap-last-failure` | RFC 3339, UTC: this time |
//! | `recap-value-omitted`, `recap-headers-omitted`, `recap-key-omitted` | `true` when the broker takes no record this large: the value, then the record's own headers, then its key are left out, and are where the first three headers say |
//!
//! A replay publishes the record to `recap-topic` with its own headers and `recap-first-failure` only ([`replay_headers`]). Header names that
//! begin with `recap-` are ours.

use chrono::DateTime;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use recap_log::headers;

use crate::intake::chunk::{Chunk, Record};

/// Prefix of the headers below.
pub const PREFIX: &str = "recap-";
/// Topic the record was read from.
pub const TOPIC: &str = "recap-topic";
/// Partition it was read from.
pub const PARTITION: &str = "recap-partition";
/// Its offset there.
pub const OFFSET: &str = "recap-offset";
/// Its timestamp there.
pub const TIMESTAMP: &str = "recap-timestamp";
/// Why it is here, as a stable code.
pub const REASON: &str = "recap-reason";
/// Why it is here, in words.
pub const ERROR: &str = "recap-error";
/// The event's type.
pub const EVENT_TYPE: &str = "recap-event-type";
/// When the event was dead-lettered first.
pub const FIRST_FAILURE: &str = "recap-first-failure";
/// When it was dead-lettered last.
pub const LAST_FAILURE: &str = "recap-last-failure";
/// Present when the value was too large for the dead-letter topic.
pub const VALUE_OMITTED: &str = "recap-value-omitted";
/// Present when the record's own headers were too large, even without the value.
pub const HEADERS_OMITTED: &str = "recap-headers-omitted";
/// Present when the key was too large, even alone.
pub const KEY_OMITTED: &str = "recap-key-omitted";

/// The reason of an event that the database refuses.
pub const REFUSED: &str = "database-refused";
/// The reason of a record with a header name that is not UTF-8.
pub const UNREADABLE_HEADERS: &str = "unreadable-headers";

/// The longest `recap-error`, in bytes.
const ERROR_MAX: usize = 2_000;
/// The longest `recap-event-type`, in bytes.
const EVENT_TYPE_MAX: usize = 200;

/// A dead letter on its way.
#[derive(Debug)]
pub struct DeadLetter {
    /// The stable code.
    pub reason: &'static str,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// The record's own.
    headers: OwnedHeaders,
    /// Ours.
    annotations: OwnedHeaders,
}

impl DeadLetter {
    pub(crate) fn new(
        chunk: &Chunk,
        record: &Record,
        reason: &'static str,
        error: &str,
        event_type: Option<&str>,
        now: &str,
    ) -> Self {
        let mut headers = OwnedHeaders::new();
        let mut first_failure = now.to_owned();
        if let Some(unreadable) = &record.unreadable_headers {
            headers = unreadable.clone();
        }
        for (name, value) in chunk.headers(record) {
            if name == FIRST_FAILURE {
                // Anybody may write a header of this name.
                let earlier = value.and_then(|value| str::from_utf8(value).ok());
                let time = earlier.filter(|text| DateTime::parse_from_rfc3339(text).is_ok());
                time.unwrap_or(now).clone_into(&mut first_failure);
            }
            if !name.starts_with(PREFIX) {
                headers = headers.insert(Header { key: name, value });
            }
        }
        let topic = chunk.topic(record).to_string();
        let partition = record.partition.to_string();
        let offset = record.offset.to_string();
        let timestamp = record.timestamp.map(|timestamp| timestamp.to_string());
        let ours = [
            (TOPIC, topic.as_str()),
            (PARTITION, &partition),
            (OFFSET, &offset),
            (REASON, reason),
            (ERROR, shorten(error, ERROR_MAX)),
            (FIRST_FAILURE, &first_failure),
            (LAST_FAILURE, now),
        ];
        let event_type = event_type.map(|name| (EVENT_TYPE, shorten(name, EVENT_TYPE_MAX)));
        let timestamp = timestamp.as_deref().map(|timestamp| (TIMESTAMP, timestamp));
        let annotations = ours.into_iter().chain(timestamp).chain(event_type);
        let annotations = annotations.fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        });
        Self {
            reason,
            topic,
            partition: record.partition,
            offset: record.offset,
            key: chunk.key(record).map(<[u8]>::to_vec),
            value: chunk.value(record).map(<[u8]>::to_vec),
            headers,
            annotations,
        }
    }

    /// All headers: the record's own, then ours.
    pub(crate) fn headers(&self) -> OwnedHeaders {
        self.annotations.iter().fold(self.headers.clone(), OwnedHeaders::insert)
    }

    /// Leaves out the next part that may be too large, and says so in a header of ours; its name, or `None` when only what is ours is left.
    /// The original is where topic, partition and offset say.
    pub(crate) fn omit_a_part(&mut self) -> Option<&'static str> {
        let (part, header) = if self.value.take().is_some() {
            ("value", VALUE_OMITTED)
        } else if self.headers.count() > 0 {
            self.headers = OwnedHeaders::new();
            ("headers", HEADERS_OMITTED)
        } else {
            self.key.take()?;
            ("key", KEY_OMITTED)
        };
        self.annotations = self.annotations.clone().insert(Header {
            key: header,
            value: Some("true"),
        });
        Some(part)
    }
}

/// The headers to replay a dead letter with. One whose name is not UTF-8 stays behind: the record would only come back.
pub fn replay_headers(dead_letter: &impl Headers) -> OwnedHeaders {
    headers(Some(dead_letter))
        .flatten()
        .filter(|(name, _)| !name.starts_with(PREFIX) || *name == FIRST_FAILURE)
        .fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value })
        })
}

fn shorten(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
