//! From records to the workers' chunks: which worker gets a record, and how many bytes are under way.

mod buffer_pool;
pub(crate) mod chunk;

use std::sync::Arc;

use recap_log::worker_of;
use tokio::sync::mpsc::UnboundedSender;

use self::{
    buffer_pool::BufferPool,
    chunk::{Buffers, CHUNK_BYTES, Chunk, KafkaRecord, ReadingRules},
};
use crate::books::durable_offsets::ChunkId;

/// What a worker reports of its chunks.
#[derive(Debug)]
pub(crate) enum Report {
    /// One was folded: the bytes it counted for, and its memory for the next.
    Folded(usize, Buffers),
    /// Everything of these is durable, with the bytes they counted for.
    Durable(Vec<(ChunkId, usize)>),
}

/// A worker, and the chunk that is being filled for it.
#[derive(Debug)]
struct WorkerInput {
    sender: UnboundedSender<Chunk>,
    chunk: Option<Chunk>,
    bytes: usize,
}

/// Fills chunks and hands them to the workers.
#[derive(Debug)]
pub(crate) struct Intake {
    rules: ReadingRules,
    workers: Vec<WorkerInput>,
    pool: BufferPool,
    last_chunk: u64,
    /// Handed to the workers and not folded.
    dispatched_bytes: usize,
    /// Handed to the workers and not durable.
    unwritten_bytes: usize,
    /// Records received since [`Self::take_received`], by topic.
    received: Vec<u64>,
}

impl Intake {
    pub fn new(rules: ReadingRules, workers: Vec<UnboundedSender<Chunk>>) -> Self {
        let input = |sender| WorkerInput {
            sender,
            chunk: None,
            bytes: 0,
        };
        Self {
            workers: workers.into_iter().map(input).collect(),
            pool: BufferPool::default(),
            last_chunk: 0,
            dispatched_bytes: 0,
            unwritten_bytes: 0,
            received: vec![0; rules.topics.len()],
            rules,
        }
    }

    /// Copies a record into its worker's chunk, and says which chunk that is. `topic` is the position in the list of topics.
    pub fn receive(&mut self, topic: usize, message: &impl KafkaRecord) -> ChunkId {
        let worker = worker_of(message.key(), message.partition(), self.workers.len());
        let input = &mut self.workers[worker];
        let chunk = input.chunk.get_or_insert_with(|| {
            self.last_chunk += 1;
            Chunk::new(ChunkId(self.last_chunk), self.rules.clone(), self.pool.get())
        });
        let id = chunk.id;
        input.bytes += chunk.push(topic, message);
        self.received[topic] += 1;
        if input.bytes >= CHUNK_BYTES {
            self.dispatch(worker);
        }
        id
    }

    /// Hands every chunk begun to its worker.
    pub fn dispatch_all(&mut self) {
        (0..self.workers.len()).for_each(|worker| self.dispatch(worker));
    }

    fn dispatch(&mut self, worker: usize) {
        let input = &mut self.workers[worker];
        input.bytes = 0;
        if let Some(mut chunk) = input.chunk.take() {
            if let Some(buffers) = chunk.fit() {
                self.pool.put(buffers);
            }
            self.dispatched_bytes += chunk.bytes();
            self.unwritten_bytes += chunk.bytes();
            // A worker that is gone has failed, which ends the projector; what it was sent stays uncommitted.
            let _unsent = input.sender.send(chunk);
        }
    }

    /// A chunk was folded.
    pub fn folded(&mut self, bytes: usize, buffers: Buffers) {
        self.dispatched_bytes = self.dispatched_bytes.saturating_sub(bytes);
        self.pool.put(buffers);
    }

    /// A chunk is durable.
    pub fn durable(&mut self, bytes: usize) {
        self.unwritten_bytes = self.unwritten_bytes.saturating_sub(bytes);
    }

    /// Bytes received and not folded yet.
    pub fn unfolded_bytes(&self) -> usize {
        self.dispatched_bytes + self.workers.iter().map(|input| input.bytes).sum::<usize>()
    }

    /// Bytes of the records handed over and not durable yet, folded ones included.
    pub fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes
    }

    /// The records received since the last call, by topic.
    pub fn take_received(&mut self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        let received = self.received.iter_mut().map(std::mem::take);
        self.rules
            .topics
            .iter()
            .zip(received)
            .filter(|(_, records)| *records > 0)
    }
}
