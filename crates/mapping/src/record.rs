//! A record of Kafka, and what a program sees of it.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    budget::Budget,
    schema::{Origin, Schemas},
    value::{self, Number, Object, Value},
};

/// A record of Kafka.
#[derive(Debug, Clone, Copy)]
pub struct Record<'r> {
    /// The topic it was read from.
    pub topic: &'r str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Unix milliseconds, when the broker gave one.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<&'r [u8]>,
    /// The headers in order; of two with one name a program sees the last.
    pub headers: &'r [(&'r str, Option<&'r [u8]>)],
    /// The value.
    pub value: Option<&'r [u8]>,
    /// Where there is a schema registry: the schemas of values that name one, which are decoded before a program sees them.
    pub schemas: Option<&'r Schemas>,
}

/// A record whose value is as a program sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'r> {
    pub record: Record<'r>,
    /// What the value was decoded by.
    pub schema: Option<&'r Origin<'r>>,
}

impl Input<'_> {
    /// What the mapping of a record of this size may use.
    pub(crate) fn budget(&self) -> Budget {
        let size = self.record.value.map_or(0, <[u8]>::len) as u64;
        Budget {
            steps: 200_000 + size,
            bytes: (16 << 20) + 64 * size,
            stack: 0,
        }
    }

    /// What the program's `.` is.
    pub(crate) fn input(&self) -> Value {
        let int = |int: i64| Value::Number(Number::Int(int));
        let record = &self.record;
        let mut input = Object::with_capacity(8);
        let mut set = |name: &str, value| input.insert(Rc::from(name), value);
        let (value, encoding) = record.value.map_or((Value::Null, None), json_or_text);
        set("topic", Value::string(record.topic));
        set("partition", int(record.partition.into()));
        set("offset", int(record.offset));
        set("timestamp", record.timestamp.map_or(Value::Null, int));
        set("key", record.key.map_or(Value::Null, |key| text(key).0));
        set("headers", headers(record));
        set("value", value);
        if let Some(encoding) = encoding {
            set("encoding", Value::string(encoding));
        }
        if let Some(schema) = self.schema {
            set("schema", origin(schema));
        }
        Value::object(input)
    }
}

fn headers(record: &Record<'_>) -> Value {
    let header =
        |(name, value): &(&str, Option<&[u8]>)| (Rc::from(*name), value.map_or(Value::Null, |value| text(value).0));
    Value::object(record.headers.iter().map(header).collect())
}

fn origin(schema: &Origin<'_>) -> Value {
    let name = schema.name.as_deref().map_or(Value::Null, Value::string);
    let members = [
        ("id", Value::Number(Number::Int(schema.id.into()))),
        ("type", Value::string(schema.language.as_str())),
        ("name", name),
    ];
    Value::object(members.into_iter().map(|(key, value)| (Rc::from(key), value)).collect())
}

/// What a value is, and how it is written where it is not JSON.
fn json_or_text(bytes: &[u8]) -> (Value, Option<&'static str>) {
    if let Some(json) = std::str::from_utf8(bytes).ok().and_then(|text| value::read(text).ok()) {
        return (json, None);
    }
    let (text, encoding) = text(bytes);
    (text, Some(encoding))
}

fn text(bytes: &[u8]) -> (Value, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Value::string(text), "text"),
        Err(_) => (Value::string(&STANDARD.encode(bytes)), "base64"),
    }
}
