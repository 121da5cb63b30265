//! Reads the log and folds it: one thread takes the records from Kafka, others decode and fold them.
//!
//! A record goes to the fold that the hash of its key says, which makes conversations whole there. Nothing depends on
//! it: what several folds hold of one conversation is merged when it is written.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use rdkafka::message::{BorrowedMessage, Message as _};
use recap_events::{Decoded, MaxTimeAhead, decode};
use recap_log::{LogReader, Offsets, RecordHeader, headers, worker_of};
use tokio::sync::mpsc;

use super::fold::{Fold, Work};
use crate::{
    Observer, ReplayError, Scope,
    archive::{ArchivedRecord, Blob},
};

/// Time between checkpoints: at most that much work is done again after an interruption.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
/// Records between two calls of the observer.
const REPORT_EVERY: u64 = 10_000;
/// Records handed to a fold at once.
const CHUNK: usize = 64;
/// Chunks that wait for a fold.
const WAITING: usize = 16;

pub(super) struct Reading {
    pub(super) log: LogReader,
    pub(super) folds: Vec<Fold>,
    /// Only these events; all without.
    pub(super) scope: Option<Scope>,
    /// Refuses what the live projector refuses.
    pub(super) max_time_ahead: MaxTimeAhead,
    pub(super) observer: Arc<dyn Observer>,
}

impl Reading {
    /// Reads until the target or the next checkpoint.
    pub(super) fn read_to(&mut self, target: &Offsets, batches: &mpsc::Sender<Vec<Work>>) -> Result<bool, ReplayError> {
        let started = Instant::now();
        let Self {
            log,
            folds,
            scope,
            max_time_ahead,
            observer,
        } = self;
        std::thread::scope(|threads| {
            let mut queues: Vec<Queue<'_>> = folds
                .iter_mut()
                .map(|fold| {
                    let (sender, chunks) = sync_channel(WAITING);
                    let filter = Filter {
                        scope: scope.as_ref(),
                        max_time_ahead: *max_time_ahead,
                    };
                    let observer = &**observer;
                    threads.spawn(move || fold_chunks(fold, &chunks, filter, observer, batches));
                    Queue {
                        sender,
                        chunk: Vec::with_capacity(CHUNK),
                    }
                })
                .collect();
            let mut read = 0;
            let done = log.read_to(target, |partition, message| {
                let at = worker_of(message.key(), partition.number, queues.len());
                let open = queues[at].push(message);
                read += 1;
                let pause = read % REPORT_EVERY == 0 && started.elapsed() > CHECKPOINT_EVERY;
                if pause || !open {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            for mut queue in queues {
                queue.send();
            }
            Ok(done)
        })
    }

    /// Folds one record; `false` when the flushing side has ended.
    pub(super) fn fold_archived(
        &mut self,
        record: &ArchivedRecord<'_>,
        progress: &mut Progress,
        batches: &mpsc::Sender<Vec<Work>>,
    ) -> bool {
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (&**name, value.as_ref().map(Blob::as_bytes)));
        let value = record.value.as_ref().map(Blob::as_bytes);
        let key = record.key.as_ref().map(Blob::as_bytes);
        let at = worker_of(key, 0, self.folds.len());
        let fold = &mut self.folds[at];
        let filter = Filter {
            scope: self.scope.as_ref(),
            max_time_ahead: self.max_time_ahead,
        };
        let latest = filter.max_time_ahead.latest(record.timestamp);
        let is_in_scope = filter.scope.is_none_or(|scope| scope.is_since(record.timestamp));
        let folded = is_in_scope && filter.fold(fold, &decode(value, headers, latest));
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
    filter: Filter<'_>,
    observer: &dyn Observer,
    batches: &mpsc::Sender<Vec<Work>>,
) {
    let mut progress = Progress::default();
    for message in chunks.iter().flatten() {
        progress.count(filter.fold_message(fold, &message), observer);
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
#[derive(Clone, Copy)]
struct Filter<'s> {
    scope: Option<&'s Scope>,
    max_time_ahead: MaxTimeAhead,
}

impl Filter<'_> {
    fn fold_message(self, fold: &mut Fold, message: &BorrowedMessage<'_>) -> bool {
        let headers: Result<Vec<RecordHeader<'_>>, _> = headers(message.headers()).collect();
        let latest = self.max_time_ahead.latest(message.timestamp().to_millis());
        headers.is_ok_and(|headers| self.fold(fold, &decode(message.payload(), headers.iter().copied(), latest)))
    }

    /// Records that the live projector skips or dead-letters change nothing here either.
    fn fold(self, fold: &mut Fold, decoded: &Decoded<'_>) -> bool {
        match decoded {
            Decoded::Event(event) if self.scope.is_none_or(|scope| scope.contains(event)) => {
                fold.apply(event);
                true
            }
            _ => false,
        }
    }
}

#[derive(Default)]
pub(super) struct Progress {
    records: u64,
    events: u64,
}

impl Progress {
    /// Counts a record.
    fn count(&mut self, event: bool, observer: &dyn Observer) {
        self.records += 1;
        self.events += u64::from(event);
        if self.records >= REPORT_EVERY {
            self.report(observer);
        }
    }

    pub(super) fn report(&mut self, observer: &dyn Observer) {
        observer.read(self.records, self.events);
        *self = Self::default();
    }
}
