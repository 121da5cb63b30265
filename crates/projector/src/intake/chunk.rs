//! Records on their way from the consumer to a worker: many in one buffer, with no allocation a record.

use std::{ops::Range, sync::Arc};

use rdkafka::{
    Message,
    message::{BorrowedHeaders, BorrowedMessage, OwnedHeaders},
};
use recap_events::{MaxTimeAhead, Micros};
use recap_log::{UnreadableHeader, headers};
use recap_mapping::{ByTopic, Mapping, Schemas};
use recap_schema_registry::SchemaRegistry;

use crate::{Settings, books::durable_offsets::ChunkId};

type Span = Range<usize>;

/// A chunk of this size goes to its worker at once; smaller ones go when there is nothing more to receive.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// What unreadable headers count for: their size cannot be asked for, and by default no record is larger.
const UNREADABLE_BYTES: usize = 1 << 20;

/// A record of rdkafka's whose headers can be kept unread.
pub(crate) trait KafkaRecord: Message {
    /// The headers as they are, none when there are none.
    fn detach_headers(&self) -> Option<OwnedHeaders>;
}

impl KafkaRecord for BorrowedMessage<'_> {
    fn detach_headers(&self) -> Option<OwnedHeaders> {
        self.headers().map(BorrowedHeaders::detach)
    }
}

/// A position in the log: the topic (its index among the projector's), the partition, the offset.
pub(crate) type LogPosition = (usize, i32, i64);

/// Where one record came from and where its pieces are.
#[derive(Debug)]
pub(crate) struct Record {
    /// Index in [`ReadingRules::topics`].
    pub topic: usize,
    pub partition: i32,
    pub offset: i64,
    /// Unix milliseconds, when the broker gave one.
    pub timestamp: Option<i64>,
    key: Option<Span>,
    value: Option<Span>,
    headers: Span,
    /// Headers whose names are not UTF-8: not readable, yet to be kept for the dead letter.
    pub unreadable_headers: Option<OwnedHeaders>,
}

impl Record {
    /// Where it is in the log.
    pub fn position(&self) -> LogPosition {
        (self.topic, self.partition, self.offset)
    }
}

/// How records are read, the same for all chunks.
#[derive(Debug, Clone)]
pub(crate) struct ReadingRules {
    /// The topics this projector reads.
    pub topics: Arc<[Arc<str>]>,
    max_time_ahead: MaxTimeAhead,
    mappings: ByTopic,
    schema_registry: Option<SchemaRegistry>,
}

impl ReadingRules {
    pub fn of(settings: &Settings) -> Self {
        Self {
            topics: Arc::clone(&settings.topics),
            max_time_ahead: settings.max_time_ahead,
            mappings: settings.mappings.by_topic(&settings.topics),
            schema_registry: settings.schema_registry.clone(),
        }
    }
}

/// A batch of records for one worker.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub id: ChunkId,
    rules: ReadingRules,
    pub records: Vec<Record>,
    headers: Vec<(Span, Option<Span>)>,
    buffer: Vec<u8>,
    unreadable: usize,
    /// Those that the values of mapped records name, once they were looked up.
    schemas: Schemas,
}

/// The memory of a chunk that was folded, for the next one: new pages from the system would cost page faults.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    records: Vec<Record>,
    headers: Vec<(Span, Option<Span>)>,
    bytes: Vec<u8>,
}

impl From<Chunk> for Buffers {
    fn from(mut chunk: Chunk) -> Self {
        chunk.records.clear();
        chunk.headers.clear();
        chunk.buffer.clear();
        Self {
            records: chunk.records,
            headers: chunk.headers,
            bytes: chunk.buffer,
        }
    }
}

impl Buffers {
    /// What they take, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.capacity()
            + self.records.capacity() * size_of::<Record>()
            + self.headers.capacity() * size_of::<(Span, Option<Span>)>()
    }
}

impl Chunk {
    pub fn new(id: ChunkId, rules: ReadingRules, buffers: Buffers) -> Self {
        Self {
            id,
            rules,
            records: buffers.records,
            headers: buffers.headers,
            buffer: buffers.bytes,
            unreadable: 0,
            schemas: Schemas::default(),
        }
    }

    /// Whether a value names a schema that was not looked up yet.
    pub fn lacks_schemas(&self) -> bool {
        self.unknown_schemas().next().is_some()
    }

    /// Looks up the schemas that its values name. Waits for as long as the registry is away.
    pub async fn with_schemas(mut self) -> Self {
        let unknown: Vec<u32> = self.unknown_schemas().collect();
        if let Some(registry) = self.rules.schema_registry.clone().filter(|_| !unknown.is_empty()) {
            self.schemas.extend(registry.schemas(unknown).await);
        }
        self
    }

    fn unknown_schemas(&self) -> impl Iterator<Item = u32> + '_ {
        let records = self.rules.schema_registry.iter().flat_map(|_| &self.records);
        records
            .filter(|record| self.mapping(record).is_some())
            .filter_map(|record| Schemas::id(self.value(record)?))
            .filter(|id| !self.schemas.contains(*id))
    }

    /// The schemas that its values name; `None` without a registry.
    pub fn schemas(&self) -> Option<&Schemas> {
        self.rules.schema_registry.as_ref().map(|_| &self.schemas)
    }

    /// Copies a record in and returns the bytes it takes.
    pub fn push(&mut self, topic: usize, message: &impl KafkaRecord) -> usize {
        let (before, first_header) = (self.buffer.len(), self.headers.len());
        let key = self.copy(message.key());
        let value = self.copy(message.payload());
        let unreadable_headers = if self.copy_headers(message).is_ok() {
            None
        } else {
            self.headers.truncate(first_header);
            self.unreadable += 1;
            message.detach_headers()
        };
        let unreadable = usize::from(unreadable_headers.is_some()) * UNREADABLE_BYTES;
        self.records.push(Record {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key,
            value,
            headers: first_header..self.headers.len(),
            unreadable_headers,
        });
        let headers = self.headers.len() - first_header;
        self.buffer.len() - before + size_of::<Record>() + headers * size_of::<(Span, Option<Span>)>() + unreadable
    }

    fn copy_headers(&mut self, message: &impl KafkaRecord) -> Result<(), UnreadableHeader> {
        for header in headers(message.headers()) {
            let (name, value) = header?;
            let start = self.buffer.len();
            self.buffer.extend_from_slice(name.as_bytes());
            let name = start..self.buffer.len();
            let value = self.copy(value);
            self.headers.push((name, value));
        }
        Ok(())
    }

    fn copy(&mut self, bytes: Option<&[u8]>) -> Option<Span> {
        let bytes = bytes?;
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        Some(start..self.buffer.len())
    }

    /// The record's key.
    pub fn key(&self, record: &Record) -> Option<&[u8]> {
        record.key.clone().map(|span| &self.buffer[span])
    }

    /// The record's value.
    pub fn value(&self, record: &Record) -> Option<&[u8]> {
        record.value.clone().map(|span| &self.buffer[span])
    }

    /// The record's headers, none when they are unreadable.
    pub fn headers(&self, record: &Record) -> impl Iterator<Item = (&str, Option<&[u8]>)> + Clone + '_ {
        self.headers[record.headers.clone()].iter().map(|(name, value)| {
            // Copied from a `&str`, so it is one.
            let name = str::from_utf8(&self.buffer[name.clone()]).unwrap_or_default();
            (name, value.clone().map(|span| &self.buffer[span]))
        })
    }

    /// The latest time that an event in the record may have.
    pub fn latest_time(&self, record: &Record) -> Option<Micros> {
        self.rules.max_time_ahead.latest(record.timestamp)
    }

    /// What makes events of the records of its topic, where they are none.
    pub fn mapping(&self, record: &Record) -> Option<&Mapping> {
        self.rules.mappings[record.topic].as_deref()
    }

    /// The topic a record came from.
    pub fn topic(&self, record: &Record) -> &Arc<str> {
        &self.rules.topics[record.topic]
    }

    /// The bytes held for the records, spare capacity included.
    pub fn bytes(&self) -> usize {
        self.buffer.capacity()
            + self.records.capacity() * size_of::<Record>()
            + self.headers.capacity() * size_of::<(Span, Option<Span>)>()
            + self.unreadable * UNREADABLE_BYTES
    }

    /// Moves a chunk that stayed small to memory of its size; returns the large one for the next.
    pub fn fit(&mut self) -> Option<Buffers> {
        if self.buffer.len() >= self.buffer.capacity() / 4 {
            return None;
        }
        let records = Vec::with_capacity(self.records.len());
        let (headers, bytes) = (self.headers.clone(), self.buffer.clone());
        let mut large = Buffers {
            records: std::mem::replace(&mut self.records, records),
            headers: std::mem::replace(&mut self.headers, headers),
            bytes: std::mem::replace(&mut self.buffer, bytes),
        };
        self.records.append(&mut large.records);
        large.headers.clear();
        large.bytes.clear();
        Some(large)
    }

    /// The least timestamp of the records in Unix milliseconds.
    pub fn oldest(&self) -> Option<i64> {
        self.records.iter().filter_map(|record| record.timestamp).min()
    }
}
