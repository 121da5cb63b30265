//! Fills one generation: reads, folds and flushes, with the reading and folding on a thread of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rdkafka::message::{BorrowedMessage, Message as _};
use recap_events::{Decoded, decode};
use recap_store::{Batch, FlushError, GenerationId, Writer};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Observer, Phase, RebuildError, RebuildOptions, stored};
use crate::Offsets;
use crate::archive::{ArchiveReader, ArchivedRecord, Blob};
use crate::fold::Fold;
use crate::log::{Flow, KafkaLog, LogConfig, LogError, readable_headers};
use crate::scoped::Scope;

/// Time between checkpoints: at most that much work is done again after an interruption.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
/// Records between two calls of the observer.
const REPORT_EVERY: u64 = 10_000;

/// Which generation batches go to, and how many flushes run at once.
#[derive(Clone)]
pub struct Flushing {
    /// Writes them.
    pub writer: Arc<Writer>,
    /// Where they go.
    pub generation: GenerationId,
    /// Flushes that run at once.
    pub at_once: usize,
    /// The generation is the live one and every row is written anew.
    pub rewrite_live: bool,
}

pub(super) struct Builder {
    pool: PgPool,
    flushing: Flushing,
    observer: Arc<dyn Observer>,
    /// Absent while the reading thread has it.
    reading: Option<Reading>,
    position: Offsets,
}

struct Reading {
    log: KafkaLog,
    fold: Fold,
    /// Only these events; all without.
    scope: Option<Scope>,
    observer: Arc<dyn Observer>,
}

impl Builder {
    pub(super) fn new(
        pool: &PgPool,
        log: &LogConfig,
        generation: GenerationId,
        fresh: bool,
        scope: Option<Scope>,
        options: &RebuildOptions,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, RebuildError> {
        Ok(Self {
            pool: pool.clone(),
            flushing: Flushing {
                writer: Arc::clone(&options.writer),
                generation,
                at_once: options.flushes,
                rewrite_live: scope.is_some(),
            },
            reading: Some(Reading {
                log: KafkaLog::open(log)?,
                fold: Fold::new(options.memory_bytes, fresh),
                scope,
                observer: observer.clone(),
            }),
            observer,
            position: Offsets::default(),
        })
    }

    /// The offsets before which the generation is complete.
    pub(super) const fn position(&self) -> &Offsets {
        &self.position
    }

    /// Goes on from stored offsets, or from the oldest record where the log begins later.
    pub(super) async fn seek(&mut self, from: Offsets) -> Result<(), RebuildError> {
        let position = self
            .with_log(move |log| {
                let position: Offsets = log
                    .oldest_offsets()?
                    .iter()
                    .map(|(partition, oldest)| (partition.clone(), oldest.max(from.get(partition))))
                    .collect();
                log.seek(position.clone())?;
                Ok(position)
            })
            .await?;
        self.position = position;
        Ok(())
    }

    /// Goes on from the first record produced at `since` or later.
    pub(super) async fn seek_to_time(&mut self, since: DateTime<Utc>) -> Result<(), RebuildError> {
        let from = self.with_log(move |log| log.offsets_at(since)).await?;
        self.seek(from).await
    }

    pub(super) async fn start_from_oldest(&mut self) -> Result<(), RebuildError> {
        self.seek(Offsets::default()).await
    }

    /// Folds every segment; what the log holds as well is merged twice, which changes nothing.
    pub(super) async fn replay_archive(
        &mut self,
        archive: ArchiveReader,
    ) -> Result<(), RebuildError> {
        self.observer
            .phase(Phase::Filling, Some(archive.manifest().records()));
        for (_, segment) in archive.segments() {
            let fetched = archive.fetch(segment).await?;
            self.run(move |reading, batches| {
                let mut progress = Progress::default();
                let mut open = true;
                fetched.for_each(|record| {
                    if open {
                        progress.count(reading.fold_archived(record), &*reading.observer);
                        open = reading.send_overflow(batches);
                    }
                })?;
                progress.report(&*reading.observer);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Reads to the end offsets of this moment with checkpoints on the way.
    pub(super) async fn fill(&mut self) -> Result<(), RebuildError> {
        let target = self.with_log(|log| log.end_offsets()).await?;
        let left = self.position.missing(&target);
        self.observer.phase(Phase::Filling, Some(left));
        self.read_to(target).await?;
        Ok(())
    }

    /// Reads to the end offsets of this moment and returns them.
    pub(super) async fn level(&mut self) -> Result<Offsets, RebuildError> {
        let target = self.with_log(|log| log.end_offsets()).await?;
        self.read_to(target.clone()).await?;
        Ok(target)
    }

    async fn read_to(&mut self, target: Offsets) -> Result<(), RebuildError> {
        loop {
            let goal = target.clone();
            let (done, position) = self
                .run(move |reading, batches| {
                    let done = reading.read_to(&goal, batches)?;
                    Ok((done, reading.log.position().clone()))
                })
                .await?;
            // Everything read so far is flushed: `run` waits for that.
            if !self.flushing.rewrite_live {
                recap_store::save_offsets(&self.pool, self.flushing.generation, &stored(&position))
                    .await?;
            }
            self.position = position;
            if done {
                return Ok(());
            }
        }
    }

    /// Runs `work` on a blocking thread, flushes what it sends meanwhile, then what is still held.
    async fn run<T, W>(&mut self, work: W) -> Result<T, RebuildError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Reading, &mpsc::Sender<Batch>) -> Result<T, RebuildError> + Send + 'static,
    {
        let mut reading = self.take()?;
        let (sender, batches) = mpsc::channel(1);
        let thread = tokio::task::spawn_blocking(move || {
            let result = work(&mut reading, &sender);
            if result.is_ok() {
                for batch in reading.fold.drain() {
                    if sender.blocking_send(batch).is_err() {
                        break;
                    }
                }
            }
            (reading, result)
        });
        let flushed = self.flushing.flush_all(batches).await;
        let (reading, result) = thread.await?;
        self.reading = Some(reading);
        flushed?;
        result
    }

    async fn with_log<T, W>(&mut self, work: W) -> Result<T, RebuildError>
    where
        T: Send + 'static,
        W: FnOnce(&mut KafkaLog) -> Result<T, LogError> + Send + 'static,
    {
        let mut reading = self.take()?;
        let (reading, result) = tokio::task::spawn_blocking(move || {
            let result = work(&mut reading.log);
            (reading, result)
        })
        .await?;
        self.reading = Some(reading);
        Ok(result?)
    }

    fn take(&mut self) -> Result<Reading, RebuildError> {
        self.reading.take().ok_or(RebuildError::Interrupted)
    }
}

impl Flushing {
    /// Writes batches as they come, several at once, until the sender is gone. After a failure no
    /// more are taken, which stops the sender.
    pub async fn flush_all(&self, mut batches: mpsc::Receiver<Batch>) -> Result<(), FlushError> {
        let mut running: JoinSet<Result<(), FlushError>> = JoinSet::new();
        let mut outcome = Ok(());
        while let Some(batch) = batches.recv().await {
            if running.len() >= self.at_once
                && let Some(finished) = running.join_next().await
            {
                outcome = settle(finished);
                if outcome.is_err() {
                    break;
                }
            }
            let this = self.clone();
            running.spawn(async move { this.flush(batch).await });
        }
        drop(batches);
        while let Some(finished) = running.join_next().await {
            outcome = outcome.and(settle(finished));
        }
        outcome
    }

    /// Writes one batch; a database that is away is waited for.
    async fn flush(&self, mut batch: Batch) -> Result<(), FlushError> {
        let mut pause = Duration::from_millis(100);
        loop {
            let flushed = if self.rewrite_live {
                self.writer.rewrite(self.generation, &mut batch).await
            } else {
                self.writer
                    .flush_building(self.generation, &mut batch)
                    .await
            };
            match flushed {
                Ok(_) => return Ok(()),
                Err(FlushError::Unavailable(error)) => {
                    tracing::warn!(%error, retry_in = ?pause, "the database is away, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn settle(
    finished: Result<Result<(), FlushError>, tokio::task::JoinError>,
) -> Result<(), FlushError> {
    match finished {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

impl Reading {
    /// Reads until the target or the next checkpoint.
    fn read_to(
        &mut self,
        target: &Offsets,
        batches: &mpsc::Sender<Batch>,
    ) -> Result<bool, RebuildError> {
        let started = Instant::now();
        let mut progress = Progress::default();
        let mut open = true;
        let Self {
            log,
            fold,
            scope,
            observer,
        } = self;
        let done = log.read_to(target, |_, message| {
            let folded = fold_message(fold, scope.as_ref(), message);
            let reported = progress.count(folded, &**observer);
            open = send_overflow(fold, batches);
            let pause = !open || (reported && started.elapsed() > CHECKPOINT_EVERY);
            if pause { Flow::Pause } else { Flow::Continue }
        })?;
        progress.report(&**observer);
        Ok(done)
    }

    fn fold_archived(&mut self, record: &ArchivedRecord<'_>) -> bool {
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (&**name, value.as_ref().map(Blob::as_bytes)));
        let value = record.value.as_ref().map(Blob::as_bytes);
        fold_decoded(&mut self.fold, self.scope.as_ref(), &decode(value, headers))
    }

    fn send_overflow(&mut self, batches: &mpsc::Sender<Batch>) -> bool {
        send_overflow(&mut self.fold, batches)
    }
}

/// Hands over the coldest states when too much memory is taken; `false` when nobody takes them.
fn send_overflow(fold: &mut Fold, batches: &mpsc::Sender<Batch>) -> bool {
    fold.overflow()
        .into_iter()
        .all(|batch| batches.blocking_send(batch).is_ok())
}

fn fold_message(fold: &mut Fold, scope: Option<&Scope>, message: &BorrowedMessage<'_>) -> bool {
    readable_headers(message).is_some_and(|headers| {
        let decoded = decode(message.payload(), headers.iter().copied());
        fold_decoded(fold, scope, &decoded)
    })
}

/// Records that the live projector skips or dead-letters change nothing here either.
fn fold_decoded(fold: &mut Fold, scope: Option<&Scope>, decoded: &Decoded<'_>) -> bool {
    match decoded {
        Decoded::Event(event) if scope.is_none_or(|scope| scope.contains(event)) => {
            fold.apply(event);
            true
        }
        _ => false,
    }
}

#[derive(Default)]
struct Progress {
    records: u64,
    events: u64,
}

impl Progress {
    /// Counts a record; `true` when the observer was told.
    fn count(&mut self, event: bool, observer: &dyn Observer) -> bool {
        self.records += 1;
        self.events += u64::from(event);
        if self.records < REPORT_EVERY {
            return false;
        }
        self.report(observer);
        true
    }

    fn report(&mut self, observer: &dyn Observer) {
        observer.read(self.records, self.events);
        *self = Self::default();
    }
}
