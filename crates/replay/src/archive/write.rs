//! Kafka to archive: reads each partition from behind its last segment and cuts new ones.

use std::{collections::BTreeMap, io::Write as _, ops::ControlFlow, sync::Arc};

use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, path::Path};
use recap_log::{Log, LogReader, Offsets, Partition, TopicIds};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{ArchiveError, ArchivedRecord, Manifest, Segment};

/// Finished segments that may wait for the object store.
const SEGMENTS_IN_FLIGHT: usize = 2;

/// How to cut an archive.
#[derive(Debug, Clone)]
pub struct ArchiveOptions {
    /// A segment is closed when its uncompressed lines pass this many bytes. The open segments of all
    /// partitions together are held to 16 times that.
    pub segment_bytes: usize,
    /// zstd level, 1–19.
    pub level: i32,
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            level: 6,
        }
    }
}

/// What a run added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveReport {
    /// Segments written.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Their size in bytes, compressed.
    pub bytes: u64,
}

/// Appends to the archive all that the log holds now and the archive does not; `progress` is told the
/// records read and the offsets left at every segment.
pub async fn write_archive(
    log: &Log,
    store: Arc<dyn ObjectStore>,
    options: &ArchiveOptions,
    mut progress: impl FnMut(&ArchiveReport, u64),
) -> Result<ArchiveReport, ArchiveError> {
    let mut manifest = Manifest::load(&*store).await?;
    let (sender, mut finished) = mpsc::channel(SEGMENTS_IN_FLIGHT);
    let reader = {
        let (log, options, manifest) = (log.clone(), options.clone(), manifest.clone());
        tokio::task::spawn_blocking(move || cut(&log, &options, &manifest, &sender))
    };
    let mut report = ArchiveReport::default();
    while let Some(Finished {
        partition,
        segment,
        object,
        left,
    }) = finished.recv().await
    {
        let path = Path::from(segment.path.as_str());
        store
            .put(&path, PutPayload::from(object))
            .await
            .map_err(ArchiveError::store("write", &path))?;
        report.segments += 1;
        report.records += segment.records;
        report.bytes += segment.bytes;
        manifest.push(&partition, segment);
        manifest.save(&*store).await?;
        progress(&report, left);
    }
    reader.await??;
    Ok(report)
}

struct Finished {
    partition: Partition,
    segment: Segment,
    object: Vec<u8>,
    left: u64,
}

/// Reads the log and cuts it into segments; ends early when the writing side has ended.
fn cut(
    log: &Log,
    options: &ArchiveOptions,
    manifest: &Manifest,
    sender: &mpsc::Sender<Finished>,
) -> Result<(), ArchiveError> {
    let mut log = LogReader::open(log)?;
    let topics = log.lookup().ids()?;
    let (oldest, target) = (log.lookup().oldest()?, log.lookup().ends()?);
    let mut start = Offsets::default();
    for (partition, _) in target.iter() {
        let topic_id = topics.get(&partition.topic).copied();
        let archived = manifest.coverage(partition, topic_id).map_or(0, |(_, next)| next);
        start.set(partition.clone(), archived.max(oldest.get(partition)));
    }
    log.seek(start.clone())?;
    let mut open: BTreeMap<Partition, OpenSegment> = BTreeMap::new();
    let mut pending = 0;
    loop {
        let mut failure = None;
        let mut full = None;
        let done = log.read_to(&target, |partition, message| {
            if message_is_past(&target, partition, &message) {
                return ControlFlow::Continue(());
            }
            let added = open
                .entry(partition.clone())
                .or_insert_with(|| OpenSegment::new(start.get(partition)))
                .add(&ArchivedRecord::of(&message));
            match added {
                Ok((added, size)) => {
                    pending += added;
                    if size < options.segment_bytes && pending < 16 * options.segment_bytes {
                        return ControlFlow::Continue(());
                    }
                    full = Some(());
                }
                Err(error) => failure = Some(error),
            }
            ControlFlow::Break(())
        })?;
        if let Some(error) = failure {
            return Err(ArchiveError::damaged("a record", &error));
        }
        let close: Vec<Partition> = if done || full.is_none() {
            // Offsets at the end that hold no record are covered, too: retention removes them as well.
            for (partition, next) in log.position().iter() {
                let first = start.get(partition);
                if first < next.min(target.get(partition)) && !open.contains_key(partition) {
                    open.insert(partition.clone(), OpenSegment::new(first));
                }
            }
            open.keys().cloned().collect()
        } else {
            largest(&open).into_iter().collect()
        };
        // After what was read of them.
        refuse_recreated(&topics, &log.lookup().ids()?)?;
        for partition in close {
            let Some(segment) = open.remove(&partition) else {
                continue;
            };
            pending -= segment.lines.len();
            let next = log.position().get(&partition).min(target.get(&partition));
            let (segment, object) =
                segment.close(&partition, topics.get(&partition.topic).copied(), next, options.level)?;
            start.set(partition.clone(), next);
            let left = log.position().missing(&target);
            let finished = Finished {
                partition,
                segment,
                object,
                left,
            };
            if sender.blocking_send(finished).is_err() {
                return Ok(());
            }
        }
        if done {
            return Ok(());
        }
    }
}

/// What was read of a topic that was deleted and created anew meanwhile may be of either.
fn refuse_recreated(before: &TopicIds, now: &TopicIds) -> Result<(), ArchiveError> {
    let recreated = before
        .iter()
        .find(|(topic, id)| now.get(*topic).is_some_and(|now| now != *id));
    recreated.map_or(Ok(()), |(topic, _)| Err(ArchiveError::Recreated(topic.to_string())))
}

fn message_is_past(target: &Offsets, partition: &Partition, message: &rdkafka::message::BorrowedMessage<'_>) -> bool {
    use rdkafka::message::Message as _;
    message.offset() >= target.get(partition)
}

fn largest(open: &BTreeMap<Partition, OpenSegment>) -> Option<Partition> {
    open.iter()
        .max_by_key(|(_, segment)| segment.lines.len())
        .map(|(partition, _)| partition.clone())
}

struct OpenSegment {
    first_offset: i64,
    records: u64,
    lines: Vec<u8>,
}

impl OpenSegment {
    const fn new(first_offset: i64) -> Self {
        Self {
            first_offset,
            records: 0,
            lines: Vec::new(),
        }
    }

    /// Adds a line; returns the bytes it took and the bytes there are now.
    fn add(&mut self, record: &ArchivedRecord<'_>) -> Result<(usize, usize), serde_json::Error> {
        let before = self.lines.len();
        serde_json::to_writer(&mut self.lines, record)?;
        self.lines.push(b'\n');
        self.records += 1;
        Ok((self.lines.len() - before, self.lines.len()))
    }

    fn close(
        self,
        partition: &Partition,
        topic_id: Option<Uuid>,
        next_offset: i64,
        level: i32,
    ) -> Result<(Segment, Vec<u8>), ArchiveError> {
        let Partition { topic, number } = partition;
        let of_topic = topic_id.map_or_else(String::new, |id| format!(".{id}"));
        let path = format!("{topic}/{number}/{:020}{of_topic}.ndjson.zst", self.first_offset);
        let compress = || {
            let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
            encoder.include_checksum(true)?;
            encoder.write_all(&self.lines)?;
            encoder.finish()
        };
        let object = compress().map_err(|error| ArchiveError::damaged(&path, &error))?;
        let segment = Segment {
            path,
            first_offset: self.first_offset,
            next_offset,
            records: self.records,
            bytes: object.len() as u64,
            blake3: blake3::hash(&object).to_hex().to_string(),
            topic_id,
        };
        Ok((segment, object))
    }
}
