//! One archived record as a line of JSON.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rdkafka::message::{BorrowedMessage, Message as _};
use recap_log::headers;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A Kafka record outside Kafka; topic and partition are the segment's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedRecord<'a> {
    /// The offset it had.
    pub offset: i64,
    /// Milliseconds since 1970, where the broker knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// The key.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Blob<'a>>,
    /// The headers, in order.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(Cow<'a, str>, Option<Blob<'a>>)>,
    /// The value.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Blob<'a>>,
}

impl<'a> ArchivedRecord<'a> {
    /// Copies nothing.
    #[must_use]
    pub fn of(message: &'a BorrowedMessage<'_>) -> Self {
        let headers: Result<_, _> = headers(message.headers())
            .map(|header| header.map(|(name, value)| (Cow::Borrowed(name), value.map(Blob::of))))
            .collect();
        Self {
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(Blob::of),
            // The live projector dead-letters a record with an unreadable header.
            headers: headers.unwrap_or_default(),
            value: message.payload().map(Blob::of),
        }
    }
}

/// Bytes: a JSON string where they are UTF-8, else `{"base64": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob<'a>(Cow<'a, [u8]>);

impl<'a> Blob<'a> {
    /// Wraps bytes.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Binary { base64: String },
}

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Form::Text(Cow::Borrowed(text)),
            Err(_) => Form::Binary {
                base64: BASE64.encode(&self.0),
            },
        }
        .serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(Cow::Borrowed(text)) => Ok(Self(Cow::Borrowed(text.as_bytes()))),
            Form::Text(Cow::Owned(text)) => Ok(Self(Cow::Owned(text.into_bytes()))),
            Form::Binary { base64 } => BASE64
                .decode(base64)
                .map(|bytes| Self(Cow::Owned(bytes)))
                .map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_record_comes_back_as_it_was(
            offset in 0..i64::MAX,
            timestamp in proptest::option::of(any::<i64>()),
            key in proptest::option::of(any::<Vec<u8>>()),
            value in proptest::option::of(any::<Vec<u8>>()),
            text in ".*",
            header in proptest::option::of(any::<Vec<u8>>()),
        ) {
            let record = ArchivedRecord {
                offset,
                timestamp,
                key: key.as_deref().map(Blob::of),
                headers: vec![(Cow::Borrowed(&text), header.as_deref().map(Blob::of)), (Cow::Borrowed("t"), Some(Blob::of(text.as_bytes())))],
                value: value.as_deref().map(Blob::of),
            };
            let line = serde_json::to_string(&record)?;
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<ArchivedRecord<'_>>(&line)?, record);
        }
    }
}
