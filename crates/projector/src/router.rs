//! From records to chunks: which worker gets a record, which bytes are under way, which offsets are durable.

use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use rdkafka::{
    Message,
    message::BorrowedMessage,
    topic_partition_list::{Offset, TopicPartitionList},
};
use recap_log::worker_of;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::{
    chunk::{Buffers, Chunk},
    offsets::{ChunkId, Offsets, PartitionIndex},
};

/// A chunk of this size goes to its worker at once; smaller ones go when there is nothing more to take.
const CHUNK_BYTES: usize = 256 * 1024;

/// How late a hard stop is noticed while waiting for the workers.
const SLICE: Duration = Duration::from_millis(50);

/// The most memory kept for the chunks to come.
const SPARE_BYTES: usize = 24 << 20;

/// What a worker tells of its chunks.
#[derive(Debug)]
pub(crate) enum Report {
    /// One was folded: what it counted for, and its memory for the next.
    Folded(usize, Buffers),
    /// Everything of these is durable, with what they counted for.
    Durable(Vec<(ChunkId, usize)>),
}

/// The consumer's bookkeeping. Only the consumer thread uses it; the lock around it is for the callbacks that run inside `poll`.
#[derive(Debug)]
pub(crate) struct Router {
    pub topics: Arc<[Arc<str>]>,
    pub offsets: Offsets,
    partitions: Vec<(usize, i32)>,
    index: HashMap<(usize, i32), PartitionIndex>,
    /// When the last record taken from a partition was produced, in Unix milliseconds.
    pub produced: HashMap<PartitionIndex, i64>,
    building: Vec<Option<Chunk>>,
    building_bytes: Vec<usize>,
    spare: Vec<Buffers>,
    spare_bytes: usize,
    workers: Vec<UnboundedSender<Chunk>>,
    reports: mpsc::Receiver<Report>,
    /// Sent to the workers and not folded.
    dispatched_bytes: usize,
    /// Sent to the workers and not durable.
    unwritten_bytes: usize,
    next_chunk: u64,
    /// Records taken since this was last read, by topic.
    pub taken: Vec<u64>,
    last: Option<((usize, i32), PartitionIndex)>,
    /// Ends every wait for the workers.
    pub hard: CancellationToken,
}

impl Router {
    pub fn new(
        topics: Arc<[Arc<str>]>,
        workers: Vec<UnboundedSender<Chunk>>,
        reports: mpsc::Receiver<Report>,
        hard: CancellationToken,
    ) -> Self {
        Self {
            offsets: Offsets::default(),
            partitions: Vec::new(),
            index: HashMap::new(),
            produced: HashMap::new(),
            building: workers.iter().map(|_| None).collect(),
            building_bytes: vec![0; workers.len()],
            spare: Vec::new(),
            spare_bytes: 0,
            reports,
            dispatched_bytes: 0,
            unwritten_bytes: 0,
            next_chunk: 0,
            taken: vec![0; topics.len()],
            last: None,
            topics,
            workers,
            hard,
        }
    }

    /// Takes a record; `false` when its partition is not assigned (any more).
    pub fn take(&mut self, message: &BorrowedMessage<'_>) -> bool {
        let Some((topic, partition)) = self.locate(message) else {
            return false;
        };
        let worker = worker_of(message.key(), message.partition(), self.workers.len());
        let (next_chunk, topics) = (&mut self.next_chunk, &self.topics);
        let (spare, spare_bytes) = (&mut self.spare, &mut self.spare_bytes);
        let chunk = self.building[worker].get_or_insert_with(|| {
            *next_chunk += 1;
            let buffers = spare.pop().unwrap_or_default();
            *spare_bytes -= buffers.size();
            Chunk::new(ChunkId(*next_chunk), Arc::clone(topics), buffers)
        });
        self.offsets.take(chunk.id, partition, message.offset());
        if let Some(produced) = message.timestamp().to_millis() {
            self.produced.insert(partition, produced);
        }
        self.taken[topic] += 1;
        self.building_bytes[worker] += chunk.push(topic, message);
        if self.building_bytes[worker] >= CHUNK_BYTES {
            self.dispatch(worker);
        }
        true
    }

    fn locate(&mut self, message: &BorrowedMessage<'_>) -> Option<(usize, PartitionIndex)> {
        let name = message.topic();
        let partition = message.partition();
        if let Some(((topic, last), index)) = self.last
            && last == partition
            && *self.topics[topic] == *name
        {
            return Some((topic, index));
        }
        let topic = self.topic_index(name)?;
        let index = *self.index.get(&(topic, partition))?;
        self.last = Some(((topic, partition), index));
        Some((topic, index))
    }

    fn topic_index(&self, name: &str) -> Option<usize> {
        self.topics.iter().position(|topic| **topic == *name)
    }

    fn dispatch(&mut self, worker: usize) {
        self.building_bytes[worker] = 0;
        if let Some(mut chunk) = self.building[worker].take() {
            if let Some(buffers) = chunk.fit() {
                self.keep(buffers);
            }
            self.dispatched_bytes += chunk.bytes();
            self.unwritten_bytes += chunk.bytes();
            // A worker that is gone has failed, which ends the projector; what it was sent stays uncommitted.
            let _unsent = self.workers[worker].send(chunk);
        }
    }

    /// Hands every chunk begun to its worker.
    pub fn dispatch_all(&mut self) {
        (0..self.workers.len()).for_each(|worker| self.dispatch(worker));
    }

    /// Bytes taken and not folded yet.
    pub fn bytes(&self) -> usize {
        self.dispatched_bytes + self.building_bytes.iter().sum::<usize>()
    }

    /// Bytes of the records handed over and not durable yet, folded ones included.
    pub fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes
    }

    /// Takes note of what the workers told so far.
    pub fn collect(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.note(report);
        }
    }

    /// The same, waiting up to `timeout` for the first.
    pub fn collect_within(&mut self, timeout: Duration) {
        if let Ok(report) = self.reports.recv_timeout(timeout) {
            self.note(report);
        }
        self.collect();
    }

    /// Waits until everything taken from these partitions is durable; `false` when `deadline` came first.
    pub fn drain(&mut self, partitions: &[PartitionIndex], deadline: Instant) -> bool {
        self.dispatch_all();
        self.collect();
        while !self.offsets.settled(partitions) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.hard.is_cancelled() {
                return false;
            }
            self.collect_within(left.min(SLICE));
        }
        true
    }

    fn keep(&mut self, buffers: Buffers) {
        let size = buffers.size();
        if size >= CHUNK_BYTES / 2 && self.spare_bytes + size <= SPARE_BYTES {
            self.spare_bytes += size;
            self.spare.push(buffers);
        }
    }

    fn note(&mut self, report: Report) {
        match report {
            Report::Folded(bytes, buffers) => {
                self.dispatched_bytes = self.dispatched_bytes.saturating_sub(bytes);
                self.keep(buffers);
            }
            Report::Durable(chunks) => {
                for (chunk, bytes) in chunks {
                    self.unwritten_bytes = self.unwritten_bytes.saturating_sub(bytes);
                    self.offsets.finish(chunk);
                }
            }
        }
    }

    /// Takes partitions into the books.
    pub fn assign(&mut self, list: &TopicPartitionList) -> usize {
        let mut assigned = 0;
        for element in list.elements() {
            let Some(topic) = self.topic_index(element.topic()) else {
                continue;
            };
            let partitions = &mut self.partitions;
            let place = (topic, element.partition());
            let index = *self.index.entry(place).or_insert_with(|| {
                partitions.push(place);
                partitions.len() - 1
            });
            self.offsets.assign(index);
            assigned += 1;
        }
        assigned
    }

    /// Forgets every assignment, and hands over what was begun: it may as well be written.
    pub fn revoke_all(&mut self) {
        self.dispatch_all();
        let assigned: Vec<_> = self.offsets.assigned().collect();
        for index in assigned {
            self.offsets.revoke(index);
        }
        self.produced.clear();
    }

    /// Whether this partition is assigned now.
    pub fn is_assigned(&self, topic: &str, partition: i32) -> bool {
        let index = self
            .topic_index(topic)
            .and_then(|topic| self.index.get(&(topic, partition)));
        index.is_some_and(|index| self.offsets.is_assigned(*index))
    }

    /// The numbers of these partitions.
    pub fn indexes(&self, list: &TopicPartitionList) -> Vec<PartitionIndex> {
        let number = |topic: &str, partition| {
            let topic = self.topic_index(topic)?;
            self.index.get(&(topic, partition)).copied()
        };
        list.elements()
            .iter()
            .filter_map(|element| number(element.topic(), element.partition()))
            .collect()
    }

    /// Topic and partition of a number.
    pub fn name(&self, index: PartitionIndex) -> (&Arc<str>, i32) {
        let (topic, partition) = self.partitions[index];
        (&self.topics[topic], partition)
    }

    /// Every assigned partition, for pausing and resuming.
    pub fn assignment(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for index in self.offsets.assigned() {
            let (topic, partition) = self.name(index);
            list.add_partition(topic, partition);
        }
        list
    }

    /// The positions of these partitions, where anything was taken.
    pub fn positions_of(&self, partitions: &[PartitionIndex]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for &index in partitions {
            if let Some(position) = self.offsets.position(index) {
                let (topic, partition) = self.name(index);
                // Only an offset below zero is refused, and Kafka has none.
                let _set = list.add_partition_offset(topic, partition, Offset::Offset(position));
            }
        }
        list
    }

    /// The positions of all assigned partitions.
    pub fn positions(&self) -> TopicPartitionList {
        let assigned: Vec<_> = self.offsets.assigned().collect();
        self.positions_of(&assigned)
    }

    /// Positions that moved, as the list to commit; `None` when none did.
    pub fn take_commit(&mut self) -> Option<TopicPartitionList> {
        let advanced = self.offsets.advanced();
        let mut list = TopicPartitionList::with_capacity(advanced.len());
        for (index, position) in advanced {
            let (topic, partition) = self.name(index);
            // Only an offset below zero is refused, and Kafka has none.
            let _set = list.add_partition_offset(topic, partition, Offset::Offset(position));
        }
        (list.count() > 0).then_some(list)
    }
}
