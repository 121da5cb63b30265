//! Records as tests write and read them.

use rdkafka::{
    message::{BorrowedMessage, Header, Message, OwnedHeaders},
    producer::FutureRecord,
};
use recap_log::{UnreadableHeader, headers};

/// A record to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: String,
    /// The key; without one the producer picks any partition.
    pub key: Option<Vec<u8>>,
    /// The value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The partition; none lets the key decide.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; none is the time of publishing.
    pub timestamp: Option<i64>,
}

impl Record {
    /// A record with a key and a value.
    pub fn new(topic: impl Into<String>, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::keyless(topic, value)
        }
    }

    /// A record without a key.
    pub fn keyless(topic: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// The same for one partition, whatever its key.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    pub(crate) fn borrow(&self) -> FutureRecord<'_, [u8], [u8]> {
        let headers = (!self.headers.is_empty()).then(|| {
            let empty = OwnedHeaders::new_with_capacity(self.headers.len());
            self.headers.iter().fold(empty, |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: value.as_deref(),
                })
            })
        });
        FutureRecord {
            topic: &self.topic,
            partition: self.partition,
            payload: self.value.as_deref(),
            key: self.key.as_deref(),
            timestamp: self.timestamp,
            headers,
        }
    }
}

/// A record as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Headers in their order; one whose name is not UTF-8 is only counted, under the name U+FFFD.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Received {
    /// The text of the first header of this name, as far as it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

impl From<&BorrowedMessage<'_>> for Received {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        let headers = headers(message.headers()).map(|header| match header {
            Ok((name, value)) => (name.to_owned(), value.map(<[u8]>::to_vec)),
            Err(UnreadableHeader) => ("\u{fffd}".to_owned(), None),
        });
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.collect(),
        }
    }
}
