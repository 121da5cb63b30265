//! The dead letter: the original record with its key, value, headers and timestamp, and why it is here in headers of our own.
//!
//! | header | value |
//! | --- | --- |
//! | `recap-topic`, `recap-partition`, `recap-offset` | where the record was read |
//! | `recap-reason` | a stable code: one of `recap_events::Reason`, [`REFUSED`] or [`UNREADABLE_HEADERS`] |
//! | `recap-error` | a sentence for people; it quotes no value of the event |
//! | `recap-event-type` | the event's type, when that much could be read |
//! | `recap-first-failure` | RFC 3339, UTC: the first time this event was dead-lettered; kept over replays |
//! | `recap-last-failure` | RFC 3339, UTC: this time |
//! | `recap-value-omitted` | `true` when the broker takes no record this large: the value is where the first three headers say |
//!
//! A replay publishes the record to `recap-topic` with its own headers and `recap-first-failure` only ([`replay_headers`]). Header names that
//! begin with `recap-` are ours.

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
/// Present when the record was too large for the dead-letter topic.
pub const VALUE_OMITTED: &str = "recap-value-omitted";

/// The reason of an event that the database refuses.
pub const REFUSED: &str = "database-refused";
/// The reason of a record with a header name that is not UTF-8.
pub const UNREADABLE_HEADERS: &str = "unreadable-headers";

/// The longest `recap-error`, in bytes.
const ERROR_MAX: usize = 2_000;

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
    pub(crate) headers: OwnedHeaders,
    pub(crate) timestamp: Option<i64>,
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
                let earlier = value.and_then(|value| str::from_utf8(value).ok());
                earlier.unwrap_or(now).clone_into(&mut first_failure);
            }
            if !name.starts_with(PREFIX) {
                headers = headers.insert(Header { key: name, value });
            }
        }
        let topic = chunk.topic(record).to_string();
        let partition = record.partition.to_string();
        let offset = record.offset.to_string();
        let ours = [
            (TOPIC, topic.as_str()),
            (PARTITION, &partition),
            (OFFSET, &offset),
            (REASON, reason),
            (ERROR, shorten(error)),
            (FIRST_FAILURE, &first_failure),
            (LAST_FAILURE, now),
        ];
        for (key, value) in ours.into_iter().chain(event_type.map(|name| (EVENT_TYPE, name))) {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        Self {
            reason,
            topic,
            partition: record.partition,
            offset: record.offset,
            key: chunk.key(record).map(<[u8]>::to_vec),
            value: chunk.value(record).map(<[u8]>::to_vec),
            headers,
            timestamp: record.timestamp,
        }
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

fn shorten(error: &str) -> &str {
    let mut end = error.len().min(ERROR_MAX);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    &error[..end]
}
