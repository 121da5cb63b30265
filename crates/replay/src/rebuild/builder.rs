//! Fills one generation: reads, folds and flushes, with the reading and folding on threads of their own.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use recap_log::{Log, LogError, LogReader, Offsets};
use recap_store::{Batch, FlushError, GenerationId, Writer};
use sqlx::PgPool;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    Observer, Phase, RebuildError, RebuildOptions,
    reading::{Progress, Reading},
    stored,
};
use crate::{
    archive::ArchiveReader,
    fold::{Fold, Work},
    scoped::Scope,
};

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

impl Builder {
    pub(super) fn new(
        pool: &PgPool,
        log: &Log,
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
                log: LogReader::open(log)?,
                folds: Fold::several(options.folds.max(1), options.memory_bytes, fresh),
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
                    .lookup()
                    .oldest()?
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
        let from = self.with_log(move |log| log.lookup().at(since)).await?;
        self.seek(from).await
    }

    pub(super) async fn start_from_oldest(&mut self) -> Result<(), RebuildError> {
        self.seek(Offsets::default()).await
    }

    /// Folds every segment; what the log holds as well is merged twice, which changes nothing.
    pub(super) async fn replay_archive(&mut self, archive: ArchiveReader) -> Result<(), RebuildError> {
        self.observer.phase(Phase::Filling, Some(archive.manifest().records()));
        for (_, segment) in archive.segments() {
            let fetched = archive.fetch(segment).await?;
            self.run(move |reading, batches| {
                let mut progress = Progress::default();
                let mut open = true;
                fetched.for_each(|record| {
                    if open {
                        open = reading.fold_archived(record, &mut progress, batches);
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
        let target = self.with_log(|log| log.lookup().ends()).await?;
        let left = self.position.missing(&target);
        self.observer.phase(Phase::Filling, Some(left));
        self.read_to(target).await?;
        Ok(())
    }

    /// Reads to the end offsets of this moment and returns them.
    pub(super) async fn level(&mut self) -> Result<Offsets, RebuildError> {
        let target = self.with_log(|log| log.lookup().ends()).await?;
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
                recap_store::save_offsets(&self.pool, self.flushing.generation, &stored(&position)).await?;
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
        W: FnOnce(&mut Reading, &mpsc::Sender<Vec<Work>>) -> Result<T, RebuildError> + Send + 'static,
    {
        let mut reading = self.take()?;
        let (sender, batches) = mpsc::channel(1);
        let thread = tokio::task::spawn_blocking(move || {
            let result = work(&mut reading, &sender);
            if result.is_ok() {
                reading.drain(&sender);
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
        W: FnOnce(&mut LogReader) -> Result<T, LogError> + Send + 'static,
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
    pub async fn flush_all(&self, mut batches: mpsc::Receiver<Vec<Work>>) -> Result<(), FlushError> {
        let mut running: JoinSet<Result<(), FlushError>> = JoinSet::new();
        let mut outcome = Ok(());
        'taking: while let Some(several) = batches.recv().await {
            for work in several {
                if running.len() >= self.at_once
                    && let Some(finished) = running.join_next().await
                {
                    outcome = settle(finished);
                    if outcome.is_err() {
                        break 'taking;
                    }
                }
                let this = self.clone();
                running.spawn(async move { this.flush(work).await });
            }
        }
        drop(batches);
        while let Some(finished) = running.join_next().await {
            outcome = outcome.and(settle(finished));
        }
        outcome
    }

    /// Writes one batch; a database that is away is waited for.
    async fn flush(&self, mut work: Work) -> Result<(), FlushError> {
        let mut pause = Duration::from_millis(100);
        loop {
            let flushed = match &mut work {
                Work::New(entries) => self.writer.copy_building(self.generation, entries).await,
                Work::Any(batch) if self.rewrite_live => self.writer.rewrite(self.generation, batch).await,
                Work::Any(batch) => self.writer.flush_building(self.generation, batch).await,
            };
            match (flushed, &mut work) {
                (Ok(_), _) => return Ok(()),
                // Such as a commit whose answer was lost: what is there is merged with.
                (Err(FlushError::Refused(_)), Work::New(entries)) => {
                    work = Work::Any(Batch {
                        conversations: std::mem::take(entries),
                        ..Batch::default()
                    });
                }
                (Err(FlushError::Unavailable(error)), _) => {
                    tracing::warn!(%error, retry_in = ?pause, "the database is away, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                (Err(error), _) => return Err(error),
            }
        }
    }
}

fn settle(finished: Result<Result<(), FlushError>, tokio::task::JoinError>) -> Result<(), FlushError> {
    match finished {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
