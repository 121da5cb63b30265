//! Reads the log and folds it: one thread takes the records from Kafka, others decode and fold them.
//!
//! A record goes to the fold that the hash of its key says, which makes conversations whole there. Nothing depends on
//! it: what several folds hold of one conversation is merged when it is written.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use rdkafka::message::{BorrowedMessage, Message as _};
use recap_events::{Decoded, Event, MaxTimeAhead, decode};
use recap_log::{LogReader, Offsets, Order, Partition, RecordHeader, headers, worker_of};
use recap_mapping::{Events, Mapped, Mappings, Record, Schemas};
use recap_schema_registry::SchemaRegistry;
use tokio::{runtime::Handle, sync::mpsc};

use super::fold::{Fold, Work};
use crate::{
    Observer, ReplayError, Scope,
    archive::{ArchivedRecord, Blob},
};

/// Time between checkpoints: at most that much work is done again after an interruption.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
/// Records between two calls of the observer.
const REPORT_EVERY: u64 = 10_000;
/// With so many records left, partitions are read by their numbers: few conversations have records of two stretches, so that what memory holds is whole.
const MANY: u64 = 10_000;
/// Records handed to a fold at once.
const CHUNK: usize = 64;
/// Chunks that wait for a fold.
const WAITING: usize = 16;

pub(super) struct Reading {
    pub(super) log: LogReader,
    pub(super) folds: Vec<Fold>,
    pub(super) rules: Rules,
    pub(super) observer: Arc<dyn Observer>,
    /// Ends it before the target.
    pub(super) stop: Arc<AtomicBool>,
}

impl Reading {
    /// Reads until the target or the next checkpoint.
    pub(super) fn read_to(&mut self, target: &Offsets, batches: &mpsc::Sender<Vec<Work>>) -> Result<bool, ReplayError> {
        let started = Instant::now();
        let Self {
            log,
            folds,
            rules,
            observer,
            stop,
        } = self;
        let rules = &*rules;
        let order = if log.position().missing(target) < MANY {
            Order::AsFetched
        } else {
            Order::ByNumber { at_once: folds.len() }
        };
        std::thread::scope(|threads| {
            let mut queues: Vec<Queue<'_>> = folds
                .iter_mut()
                .map(|fold| {
                    let (sender, chunks) = sync_channel(WAITING);
                    let observer = &**observer;
                    threads.spawn(move || fold_chunks(fold, &chunks, rules, observer, batches));
                    Queue {
                        sender,
                        chunk: Vec::with_capacity(CHUNK),
                    }
                })
                .collect();
            let mut read = 0;
            let done = log.read_to_in(order, target, |partition, message| {
                let at = worker_of(message.key(), partition.number, queues.len());
                let open = queues[at].push(message);
                read += 1;
                let pause =
                    read % REPORT_EVERY == 0 && (started.elapsed() > CHECKPOINT_EVERY || stop.load(Ordering::Relaxed));
                if pause || !open {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            // What was read before an error is folded, too: the position is behind it.
            for mut queue in queues {
                queue.send();
            }
            Ok(done?)
        })
    }

    /// Folds one record; `false` when the flushing side has ended.
    pub(super) fn fold_archived(
        &mut self,
        partition: &Partition,
        record: &ArchivedRecord<'_>,
        progress: &mut Progress,
        batches: &mpsc::Sender<Vec<Work>>,
    ) -> bool {
        let headers: Vec<RecordHeader<'_>> = record
            .headers
            .iter()
            .map(|(name, value)| (&**name, value.as_ref().map(Blob::as_bytes)))
            .collect();
        let key = record.key.as_ref().map(Blob::as_bytes);
        let at = worker_of(key, 0, self.folds.len());
        let fold = &mut self.folds[at];
        let source = Record {
            topic: &partition.topic,
            partition: partition.number,
            offset: record.offset,
            timestamp: record.timestamp,
            key,
            headers: &headers,
            value: record.value.as_ref().map(Blob::as_bytes),
            schemas: None,
        };
        let is_in_scope = self
            .rules
            .scope
            .as_ref()
            .is_none_or(|scope| scope.is_since(record.timestamp));
        let folded = if is_in_scope {
            self.rules.fold(fold, &source, &mut progress.memory)
        } else {
            0
        };
        progress.count(folded, &*self.observer);
        send_overflow(fold, batches)
    }

    /// Hands over everything that is held, until the flushing side has ended.
    pub(super) fn drain(&mut self, batches: &mpsc::Sender<Vec<Work>>) {
        for fold in &mut self.folds {
            if !send(fold.drain(), batches) {
                return;
            }
        }
    }
}

/// Records on their way to a fold.
struct Queue<'l> {
    sender: SyncSender<Vec<BorrowedMessage<'l>>>,
    chunk: Vec<BorrowedMessage<'l>>,
}

impl<'l> Queue<'l> {
    /// `false` when the fold has ended.
    fn push(&mut self, message: BorrowedMessage<'l>) -> bool {
        self.chunk.push(message);
        self.chunk.len() < CHUNK || self.send()
    }

    fn send(&mut self) -> bool {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.sender.send(chunk).is_ok()
    }
}

/// Folds what comes until no more does, or the flushing side has ended.
fn fold_chunks(
    fold: &mut Fold,
    chunks: &Receiver<Vec<BorrowedMessage<'_>>>,
    rules: &Rules,
    observer: &dyn Observer,
    batches: &mpsc::Sender<Vec<Work>>,
) {
    let mut progress = Progress::default();
    for message in chunks.iter().flatten() {
        let folded = rules.fold_message(fold, &message, &mut progress.memory);
        progress.count(folded, observer);
        if !send_overflow(fold, batches) {
            break;
        }
    }
    progress.report(observer);
}

/// Hands over the coldest states when more memory is used than allowed; `false` when the flushing side has ended.
fn send_overflow(fold: &mut Fold, batches: &mpsc::Sender<Vec<Work>>) -> bool {
    send(fold.overflow(), batches)
}

/// Waits while what was handed over before has not been begun.
fn send(work: Vec<Work>, batches: &mpsc::Sender<Vec<Work>>) -> bool {
    work.is_empty() || batches.blocking_send(work).is_ok()
}

/// Which events are folded.
pub(super) struct Rules {
    /// Only these events; all without.
    pub(super) scope: Option<Scope>,
    /// Refuses what the live projector refuses.
    pub(super) max_time_ahead: MaxTimeAhead,
    /// Makes events as the live projector does.
    pub(super) mappings: Mappings,
    /// Has the schemas that values of mapped topics name, and the runtime that asks for them.
    pub(super) schema_registry: Option<(SchemaRegistry, Handle)>,
}

/// Memory for mapping, kept between records.
#[derive(Default)]
pub(super) struct Memory {
    events: Events,
    schemas: Schemas,
}

/// Schemas that one thread holds beside those that the registry's client keeps.
const SCHEMAS_MAX: usize = 1_000;

impl Rules {
    fn fold_message(&self, fold: &mut Fold, message: &BorrowedMessage<'_>, memory: &mut Memory) -> u64 {
        let headers: Result<Vec<RecordHeader<'_>>, _> = headers(message.headers()).collect();
        let Ok(headers) = headers else { return 0 };
        let record = Record {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key(),
            headers: &headers,
            value: message.payload(),
            schemas: None,
        };
        self.fold(fold, &record, memory)
    }

    /// Folds what a record holds, and returns how many events that are. Records that the live projector skips or dead-letters change nothing here either.
    fn fold(&self, fold: &mut Fold, record: &Record<'_>, memory: &mut Memory) -> u64 {
        let latest = self.max_time_ahead.latest(record.timestamp);
        if let Some(mapping) = self.mappings.of(record.topic) {
            let Memory { events, schemas } = memory;
            let record = &Record {
                schemas: self.look_up(record, schemas),
                ..*record
            };
            return match mapping.read(record, latest, events) {
                Mapped::Events { events, .. } => events.iter().map(|event| self.apply(fold, event)).sum(),
                Mapped::NullValue | Mapped::Refused(_) => 0,
            };
        }
        match decode(record.value, record.headers.iter().copied(), latest) {
            Decoded::Event(event) => self.apply(fold, &event),
            Decoded::Skipped(_) | Decoded::Invalid(_) => 0,
        }
    }

    /// Waits for as long as the registry is away.
    fn look_up<'s>(&self, record: &Record<'_>, schemas: &'s mut Schemas) -> Option<&'s Schemas> {
        let (registry, runtime) = self.schema_registry.as_ref()?;
        if let Some(id) = record.value.and_then(Schemas::id)
            && !schemas.contains(id)
        {
            if schemas.len() >= SCHEMAS_MAX {
                *schemas = Schemas::default();
            }
            schemas.extend(registry.schemas_blocking(runtime, [id]));
        }
        Some(schemas)
    }

    fn apply(&self, fold: &mut Fold, event: &Event<'_>) -> u64 {
        let is_in_scope = self.scope.as_ref().is_none_or(|scope| scope.contains(event));
        if is_in_scope {
            fold.apply(event);
        }
        u64::from(is_in_scope)
    }
}

#[derive(Default)]
pub(super) struct Progress {
    records: u64,
    events: u64,
    memory: Memory,
}

impl Progress {
    /// Counts a record and its events.
    fn count(&mut self, events: u64, observer: &dyn Observer) {
        self.records += 1;
        self.events += events;
        if self.records >= REPORT_EVERY {
            self.report(observer);
        }
    }

    pub(super) fn report(&mut self, observer: &dyn Observer) {
        observer.read(self.records, self.events);
        (self.records, self.events) = (0, 0);
    }
}
