//! Fills one generation: reads, folds and flushes, with the reading and folding on threads of their own.

mod flushing;
mod fold;
mod reading;
mod seen;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use flushing::Flushing;
use fold::{Fold, Work};
use reading::{Progress, Reading, Rules};
use recap_log::{Log, LogError, LogReader, Offsets, Partition, TopicIds};
use recap_store::{GenerationId, GenerationOffset, Share};
use tokio::{runtime::Handle, sync::mpsc};

use crate::{
    Observer, Phase, Replay, ReplayError, Scope,
    archive::ArchiveReader,
    checkpoint::{self, Checkpoint},
};

/// What a builder fills.
pub(crate) enum Target {
    /// A generation without rows.
    Empty,
    /// A generation that has rows.
    Existing,
    /// A share of a generation, which others fill too; some of it may be there.
    Share(Share, Arc<AtomicBool>),
    /// A generation that is kept for a rollback: where that begins, its checkpoint, stays as it is.
    Kept,
    /// The live generation, of which only the rows in scope are written, each of them anew.
    Live(Scope),
}

/// What a builder keeps of how far the generation is complete.
enum Checkpoints {
    None,
    /// In place of what was kept before.
    Whole,
    /// Of its partitions, beside what others keep.
    OfShare,
}

pub(crate) struct Builder {
    log: Log,
    flushing: Flushing,
    observer: Arc<dyn Observer>,
    /// Absent while the reading thread has it.
    reading: Option<Reading>,
    position: Offsets,
    /// Of the topics that the position is in.
    topics: TopicIds,
    checkpoints: Checkpoints,
    /// The partitions that are read; all of them without.
    share: Option<Share>,
    /// Reading ends when it is set.
    stop: Arc<AtomicBool>,
}

impl Builder {
    pub(crate) fn new(replay: &Replay, generation: GenerationId, target: Target) -> Result<Self, ReplayError> {
        // Whatever others write meanwhile: a conversation of a share is new more often than not.
        let is_empty = matches!(target, Target::Empty | Target::Share(..));
        let checkpoints = match target {
            Target::Empty | Target::Existing => Checkpoints::Whole,
            Target::Share(..) => Checkpoints::OfShare,
            Target::Kept | Target::Live(_) => Checkpoints::None,
        };
        let (scope, share, stop) = match target {
            Target::Live(scope) => (Some(scope), None, Arc::default()),
            Target::Share(share, stop) => (None, Some(share), stop),
            Target::Empty | Target::Existing | Target::Kept => (None, None, Arc::default()),
        };
        Ok(Self {
            log: replay.log.clone(),
            flushing: Flushing {
                store: replay.store.clone(),
                generation,
                at_once: replay.flushes.max(1),
                rewrite_live: scope.is_some(),
                refused_copies: Arc::default(),
            },
            reading: Some(Reading {
                log: LogReader::open(&replay.log)?,
                folds: Fold::several(replay.folds.max(1), replay.memory_bytes, is_empty),
                rules: Rules {
                    scope,
                    max_time_ahead: replay.log.max_time_ahead,
                    mappings: replay.log.mappings.clone(),
                    schema_registry: replay
                        .log
                        .schema_registry
                        .clone()
                        .map(|registry| (registry, Handle::current())),
                },
                observer: Arc::clone(&replay.observer),
                stop: Arc::clone(&stop),
            }),
            observer: Arc::clone(&replay.observer),
            position: Offsets::default(),
            topics: TopicIds::new(),
            checkpoints,
            share,
            stop,
        })
    }

    /// The generation that is filled.
    pub(crate) const fn generation(&self) -> GenerationId {
        self.flushing.generation
    }

    /// The offsets before which the generation is complete.
    pub(crate) fn checkpoint(&self) -> Vec<GenerationOffset> {
        checkpoint::stored(&self.position, &self.topics)
    }

    /// Goes on from a checkpoint, or from the oldest record where the log begins later or the topic is another one.
    pub(crate) async fn seek(&mut self, from: &Checkpoint) -> Result<(), ReplayError> {
        let topics = self.with_log(|log| log.lookup().ids()).await?;
        self.go_to(from.offsets(&topics), topics).await
    }

    /// Goes on from these offsets, or from the oldest record where the log begins later.
    async fn go_to(&mut self, from: Offsets, topics: TopicIds) -> Result<(), ReplayError> {
        let share = self.share;
        let position = self
            .with_log(move |log| {
                let position: Offsets = of_share(share, log.lookup().oldest()?.iter())
                    .map(|(partition, oldest)| (partition.clone(), oldest.max(from.get(partition))))
                    .collect();
                log.seek(position.clone())?;
                Ok(position)
            })
            .await?;
        self.position = position;
        self.topics = topics;
        Ok(())
    }

    /// Goes on from the first record produced at `since` or later.
    pub(crate) async fn seek_to_time(&mut self, since: DateTime<Utc>) -> Result<(), ReplayError> {
        let (from, topics) = self
            .with_log(move |log| Ok((log.lookup().at(since)?, log.lookup().ids()?)))
            .await?;
        self.go_to(from, topics).await
    }

    pub(crate) async fn seek_to_oldest(&mut self) -> Result<(), ReplayError> {
        self.seek(&Checkpoint::default()).await
    }

    /// Folds every segment; what the log holds as well is merged twice, which changes nothing.
    pub(crate) async fn replay_archive(&mut self, archive: ArchiveReader) -> Result<(), ReplayError> {
        let segments: Vec<_> = archive
            .segments()
            .filter(|(partition, _)| self.share.is_none_or(|share| share.has(partition.number)))
            .collect();
        let records = segments.iter().map(|(_, segment)| segment.records).sum();
        self.observer.phase(Phase::Filling, Some(records));
        for (partition, segment) in segments {
            self.check_stopped()?;
            let fetched = archive.fetch(segment).await?;
            self.run(move |reading, batches| {
                let mut progress = Progress::default();
                let mut open = true;
                fetched.for_each(|record| {
                    if open {
                        open = reading.fold_archived(&partition, record, &mut progress, batches);
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
    pub(crate) async fn fill(&mut self) -> Result<(), ReplayError> {
        let target = self.ends().await?;
        let left = self.position.missing(&target);
        self.observer.phase(Phase::Filling, Some(left));
        self.read_to(target).await?;
        Ok(())
    }

    /// Reads to the end offsets of this moment and returns them.
    pub(crate) async fn catch_up(&mut self) -> Result<Offsets, ReplayError> {
        let target = self.ends().await?;
        self.read_to(target).await
    }

    /// The end offsets of this moment, of topics that are those being read.
    async fn ends(&mut self) -> Result<Offsets, ReplayError> {
        self.begin_recreated_topics().await?;
        let share = self.share;
        self.with_log(move |log| {
            let ends = log.lookup().ends()?;
            Ok(of_share(share, ends.iter())
                .map(|(partition, end)| (partition.clone(), end))
                .collect())
        })
        .await
    }

    /// Reads to these end offsets, or to later ones when topics are created anew meanwhile; returns those.
    async fn read_to(&mut self, mut target: Offsets) -> Result<Offsets, ReplayError> {
        loop {
            let goal = target.clone();
            let (read, position) = self
                .run(move |reading, batches| {
                    let read = reading.read_to(&goal, batches);
                    Ok((read, reading.log.position().clone()))
                })
                .await?;
            self.position = position;
            let done = match read {
                Ok(done) => done,
                // Then this reader will not see what comes.
                Err(ReplayError::Log(LogError::Recreated(_))) => true,
                Err(error) => return Err(error),
            };
            let is_anew = done && self.begin_recreated_topics().await?;
            // Everything read so far is flushed: `run` waits for that.
            self.save_checkpoint().await?;
            if is_anew {
                target = self.ends().await?;
            } else if done {
                return Ok(target);
            }
            self.check_stopped()?;
        }
    }

    async fn save_checkpoint(&self) -> Result<(), ReplayError> {
        let Flushing { store, generation, .. } = &self.flushing;
        match self.checkpoints {
            Checkpoints::None => Ok(()),
            Checkpoints::Whole => Ok(store.save_generation_offsets(*generation, &self.checkpoint()).await?),
            Checkpoints::OfShare => Ok(store
                .advance_generation_offsets(*generation, &self.checkpoint())
                .await?),
        }
    }

    fn check_stopped(&self) -> Result<(), ReplayError> {
        if self.stop.load(Ordering::Relaxed) {
            Err(ReplayError::ShareLost)
        } else {
            Ok(())
        }
    }

    /// Goes back to the beginning of topics that are others than those read so far, with a new reader; `false` when there are none.
    async fn begin_recreated_topics(&mut self) -> Result<bool, ReplayError> {
        let now = self.with_log(|log| log.lookup().ids()).await?;
        let is_another = |topic: &Arc<str>| {
            let (before, now) = (self.topics.get(topic), now.get(topic));
            before.zip(now).is_some_and(|(before, now)| before != now)
        };
        let (recreated, same): (Vec<_>, Vec<_>) = self.position.iter().partition(|(p, _)| is_another(&p.topic));
        if recreated.is_empty() {
            for (topic, id) in now {
                self.topics.entry(topic).or_insert(id);
            }
            return Ok(false);
        }
        for (partition, next) in recreated {
            tracing::warn!(%partition, next, "the topic was deleted and created anew; reading it from its beginning");
        }
        let same: Offsets = same
            .into_iter()
            .map(|(partition, next)| (partition.clone(), next))
            .collect();
        let log = self.log.clone();
        self.with_log(move |reader| {
            // The old one refuses what brokers say of the new topic ([`LogError::Recreated`]).
            *reader = LogReader::open(&log)?;
            Ok(())
        })
        .await?;
        self.go_to(same, now).await?;
        Ok(true)
    }

    /// Runs `work` on a blocking thread, flushes what it sends meanwhile, then what is still held.
    async fn run<T, W>(&mut self, work: W) -> Result<T, ReplayError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Reading, &mpsc::Sender<Vec<Work>>) -> Result<T, ReplayError> + Send + 'static,
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

    async fn with_log<T, W>(&mut self, work: W) -> Result<T, ReplayError>
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

    fn take(&mut self) -> Result<Reading, ReplayError> {
        self.reading.take().ok_or(ReplayError::Interrupted)
    }
}

/// The partitions of a share, or all without one.
fn of_share<'p>(
    share: Option<Share>,
    offsets: impl Iterator<Item = (&'p Partition, i64)>,
) -> impl Iterator<Item = (&'p Partition, i64)> {
    offsets.filter(move |(partition, _)| share.is_none_or(|share| share.has(partition.number)))
}
