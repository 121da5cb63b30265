//! What a mapping made of one record: events of the contract as text, with the defaults of what it left out.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};
use uuid::Builder;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    record::Record,
    value::{Object, Value, write_string},
};

/// Events of one record, and bytes of their texts.
const EVENTS_MAX: usize = 10_000;

/// The events of one record, each a `CloudEvent` in JSON. Kept between records for its memory.
#[derive(Debug, Default)]
pub struct Events {
    text: String,
    ends: Vec<usize>,
}

impl Events {
    /// The texts in the order they were put out.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(&self.ends);
        // As many as there are ends, which a chain would not promise.
        let texts: Vec<&str> = spans.map(|(start, end)| &self.text[start..*end]).collect();
        texts.into_iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Adds an output of the program.
    pub(crate) fn add(&mut self, record: &Record<'_>, output: &Value) -> Result<(), String> {
        let number = self.ends.len();
        let Some(event) = output.as_object() else {
            return Err(format!(
                "output {} is a value of type {}, not an event, which is an object",
                number + 1,
                output.type_name()
            ));
        };
        if number == EVENTS_MAX {
            return Err(format!("it puts out more than {EVENTS_MAX} events"));
        }
        if self.text.len() > text_max(record) {
            return Err("its events are far larger than the record".to_owned());
        }
        self.write(record, number, event);
        self.ends.push(self.text.len());
        Ok(())
    }

    fn write(&mut self, record: &Record<'_>, number: usize, event: &Object) {
        self.text.push('{');
        for (name, value) in event.iter() {
            if matches!(value, Value::Null) && DEFAULTED.contains(&&**name) {
                continue;
            }
            self.member(name);
            value.write_json(&mut self.text);
        }
        let is_left_out = |name: &str| event.get(name).is_none_or(|value| matches!(value, Value::Null));
        if is_left_out("id") {
            self.member("id");
            let id = event_id(record, number);
            let mut text = [0; 36];
            self.string(id.hyphenated().encode_lower(&mut text));
        }
        if is_left_out("time")
            && let Some(time) = record.timestamp.and_then(DateTime::from_timestamp_millis)
        {
            self.member("time");
            self.string(&time.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        if is_left_out("source") {
            self.member("source");
            self.string(record.topic);
        }
        if is_left_out("specversion") {
            self.member("specversion");
            self.string("1.0");
        }
        self.text.push('}');
    }

    fn member(&mut self, name: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.string(name);
        self.text.push(':');
    }

    fn string(&mut self, text: &str) {
        // A string takes everything.
        let _infallible = write_string(text, &mut self.text);
    }
}

/// What a mapping may leave out.
const DEFAULTED: [&str; 4] = ["id", "time", "source", "specversion"];

/// Bytes of the events of one record.
fn text_max(record: &Record<'_>) -> usize {
    (4 << 20) + 16 * record.value.map_or(0, <[u8]>::len)
}

/// A UUID of version 8 (RFC 9562): milliseconds of the record's timestamp, the low 24 bits of its offset, the number of the event, and a hash of all of it
/// with topic and partition. So of two events of one time, that of the later record has the greater id.
#[expect(clippy::cast_sign_loss, reason = "bits are taken")]
fn event_id(record: &Record<'_>, number: usize) -> uuid::Uuid {
    let millis = record.timestamp.unwrap_or_default().max(0) as u64;
    let offset = record.offset as u64;
    let mut hashed = Vec::with_capacity(record.topic.len() + 32);
    hashed.extend_from_slice(record.topic.as_bytes());
    hashed.extend_from_slice(&record.partition.to_be_bytes());
    hashed.extend_from_slice(&offset.to_be_bytes());
    hashed.extend_from_slice(&millis.to_be_bytes());
    hashed.extend_from_slice(&number.to_be_bytes());
    let hash = u128::from(xxh3_64(&hashed));
    let time = u128::from(millis & 0xffff_ffff_ffff) << 80;
    let high = u128::from((offset >> 12) & 0xfff) << 64;
    let low = u128::from(offset & 0xfff) << 50;
    let number = ((number as u128) & 0x3ff) << 40;
    // Version and variant are put in by the builder.
    Builder::from_custom_bytes((time | high | low | number | (hash & 0xff_ffff_ffff)).to_be_bytes()).into_uuid()
}

impl std::fmt::Display for Events {
    /// One event a line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.iter().try_for_each(|event| {
            f.write_str(event)?;
            f.write_char('\n')
        })
    }
}
