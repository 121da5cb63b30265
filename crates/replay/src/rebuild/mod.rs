//! A new generation built beside the live one.
//!
//! Fill from the oldest record (archive first, then Kafka), index, follow the log until level,
//! [`verify`](crate::verify), switch in one transaction, read on past the end offsets read after the
//! switch. For every generation the database knows the offsets before which it is complete:
//!
//! - of the one being built, the last checkpoint: an interrupted build goes on from there;
//! - of the one just switched to, until the rebuild has read past the switch: a projector starts no
//!   later than that, so nothing is missing even if the rebuild dies in between;
//! - of one kept for a rollback, what the live group had committed before the switch.
//!
//! Replaying from anywhere before such an offset is harmless, since merging is idempotent.

mod builder;
mod compaction;
mod coverage;
mod reading;

use std::{sync::Arc, time::Duration};

use builder::Builder;
pub use builder::Flushing;
pub use coverage::Uncovered;
use object_store::ObjectStore;
use recap_log::{Log, LogError, OffsetLookup, Offsets, Partition};
use recap_store::{Comparison, Generation, GenerationError, GenerationId, GenerationStatus, Writer};
use sqlx::{PgPool, Postgres, pool::PoolConnection};

use crate::{
    archive::{ArchiveError, ArchiveReader},
    scoped::Scope,
    verify::{Report, verify},
};

/// One thread takes records from Kafka; it keeps about this many busy.
const MOST_FOLDS: usize = 4;
/// Session lock held by a running rebuild.
const REBUILD_LOCK: i64 = 0x7265_6361_7002;

/// How to rebuild.
#[derive(Clone)]
pub struct RebuildOptions {
    /// Writes the batches.
    pub writer: Arc<Writer>,
    /// Bytes of states held in memory before the coldest are written.
    pub memory_bytes: usize,
    /// Threads that fold; they share the memory.
    pub folds: usize,
    /// Flushes that run at once.
    pub flushes: usize,
    /// Switch although rows differ.
    pub accept_differences: bool,
    /// Go on with the generation that an interrupted rebuild left.
    pub resume: bool,
    /// Start from the live generation's rows instead of from nothing.
    pub onto_current: bool,
    /// Replayed before Kafka's records.
    pub archive: Option<Arc<dyn ObjectStore>>,
    /// How long the live projector may make no progress before the comparison is given up.
    pub live_patience: Duration,
}

impl RebuildOptions {
    /// The defaults.
    #[must_use]
    pub fn new(writer: Arc<Writer>) -> Self {
        Self {
            writer,
            memory_bytes: 512 << 20,
            folds: std::thread::available_parallelism().map_or(2, |cores| cores.get().min(MOST_FOLDS)),
            flushes: 2,
            accept_differences: false,
            resume: false,
            onto_current: false,
            archive: None,
            live_patience: Duration::from_mins(1),
        }
    }
}

/// What a rebuild is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Folding the archive and the log.
    Filling,
    /// Making the secondary indexes, and comparing with the live generation meanwhile.
    Indexing,
    /// Comparing still.
    Verifying,
    /// Making the new generation live.
    Switching,
    /// Reading past the switch.
    Settling,
}

/// Told how a rebuild gets on; called often, must not block.
pub trait Observer: Send + Sync {
    /// A phase begins; `records` is how many it will read, where that is known.
    fn phase(&self, phase: Phase, records: Option<u64>);
    /// Records read since the last call, and those of them that were folded.
    fn read(&self, records: u64, events: u64);
}

/// How a rebuild ended.
#[derive(Debug)]
pub enum Outcome {
    /// The new generation is live; the report names accepted differences.
    Switched {
        /// What was live.
        from: GenerationId,
        /// What is live.
        to: GenerationId,
        /// Differences that were accepted.
        report: Report,
    },
    /// Rows differ and nothing was switched; the generation waits.
    Differs {
        /// The generation that was built.
        built: GenerationId,
        /// What differs.
        report: Report,
    },
}

/// Why a rebuild stopped; the live generation is untouched.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another process rebuilds.
    #[error("another rebuild is running on this database")]
    Running,
    /// An interrupted rebuild left a generation.
    #[error("generation {0} is half built: go on with `--resume`, or drop it with `--discard`")]
    Unfinished(GenerationId),
    /// There is nothing to go on with.
    #[error("no interrupted rebuild is there to go on with")]
    NothingToResume,
    /// There is nothing to roll back to.
    #[error("no earlier generation is kept to roll back to")]
    NothingKept,
    /// Records are gone from the log and nothing replaces them.
    #[error("the log no longer holds everything:\n{}", coverage::listed(.0))]
    LogIncomplete(Vec<Uncovered>),
    /// Topics keep the newest record of a key, and the newest need not be the greatest.
    #[error("Kafka compacts the log, so it may no longer hold everything:\n{}", compaction::listed(.0))]
    Compacted(Vec<String>),
    /// The live group does not follow.
    #[error(
        "consumer group `{group}` made no progress for {seconds} s and is {missing} offsets behind: \
         the comparison needs the live projector running"
    )]
    LiveStalled {
        /// The live group.
        group: String,
        /// How long it was waited for.
        seconds: u64,
        /// What it has not read.
        missing: u64,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The archive could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A generation could not be made, switched or dropped.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// A batch could not be written.
    #[error("cannot write a batch: {0}")]
    Flush(#[from] recap_store::FlushError),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The reading thread was lost to an earlier failure.
    #[error("the rebuild was interrupted before")]
    Interrupted,
    /// A background task died.
    #[error("a rebuild task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Builds, verifies, switches.
pub async fn rebuild(
    pool: &PgPool,
    log: &Log,
    options: &RebuildOptions,
    observer: Arc<dyn Observer>,
) -> Result<Outcome, RebuildError> {
    let _lock = lock(pool).await?;
    let from = recap_store::live_generation(pool).await?;
    let unfinished = find(pool, GenerationStatus::Building).await?;
    let checkpoint = match (unfinished, options.resume) {
        (Some(unfinished), true) => {
            let offsets = offsets(pool, unfinished.id).await?;
            if offsets.is_empty() {
                // Interrupted before its first checkpoint: nothing of it is known to be whole.
                recap_store::discard_generation(pool, unfinished.id).await?;
                None
            } else {
                Some((unfinished.id, offsets))
            }
        }
        (Some(unfinished), false) => return Err(RebuildError::Unfinished(unfinished.id)),
        (None, true) => return Err(RebuildError::NothingToResume),
        (None, false) => None,
    };
    let to = if let Some((id, _)) = &checkpoint {
        *id
    } else {
        tokio::try_join!(coverage::check(log, options), compaction::check(log, options))?;
        recap_store::create_generation(pool).await?
    };
    let fresh = checkpoint.is_none() && !options.onto_current;
    let mut builder = Builder::new(pool, log, to, fresh, None, options, observer.clone())?;
    if let Some((_, offsets)) = checkpoint {
        builder.seek(offsets).await?;
    } else {
        if options.onto_current {
            recap_store::copy_generation(pool, from, to).await?;
        }
        builder.start_from_oldest().await?;
        if let Some(archive) = &options.archive {
            let archive = ArchiveReader::open(archive.clone()).await?;
            builder.replay_archive(archive).await?;
        }
    }
    builder.fill().await?;
    observer.phase(Phase::Indexing, None);
    let indexing = async {
        recap_store::create_indexes(pool, to).await?;
        observer.phase(Phase::Verifying, None);
        Ok(())
    };
    let comparing = compare(pool, log, from, to, options, &mut builder);
    let ((), report) = tokio::try_join!(indexing, comparing)?;
    if !report.is_empty() && !options.accept_differences {
        builder.level().await?;
        return Ok(Outcome::Differs { built: to, report });
    }
    switch(pool, log, from, to, &mut builder, &*observer).await?;
    Ok(Outcome::Switched { from, to, report })
}

/// Replays into the generation that was live before what it has missed, and makes it live again.
pub async fn rollback(
    pool: &PgPool,
    log: &Log,
    options: &RebuildOptions,
    observer: Arc<dyn Observer>,
) -> Result<Outcome, RebuildError> {
    let _lock = lock(pool).await?;
    let from = recap_store::live_generation(pool).await?;
    if let Some(unfinished) = find(pool, GenerationStatus::Building).await? {
        return Err(RebuildError::Unfinished(unfinished.id));
    }
    let to = find(pool, GenerationStatus::Kept)
        .await?
        .ok_or(RebuildError::NothingKept)?
        .id;
    recap_store::reopen_generation(pool, to).await?;
    let mut builder = Builder::new(pool, log, to, false, None, options, observer.clone())?;
    builder.seek(offsets(pool, to).await?).await?;
    builder.fill().await?;
    switch(pool, log, from, to, &mut builder, &*observer).await?;
    Ok(Outcome::Switched {
        from,
        to,
        report: Report::default(),
    })
}

/// Reads past a switch whose rebuild died before it had. Projectors call it now and then: while a rebuild
/// runs, and when nothing is left to do, it returns `false` at once.
pub async fn settle(
    pool: &PgPool,
    log: &Log,
    options: &RebuildOptions,
    observer: Arc<dyn Observer>,
) -> Result<bool, RebuildError> {
    let live = recap_store::live_generation(pool).await?;
    if recap_store::generation_offsets(pool, live).await?.is_empty() {
        return Ok(false);
    }
    let _lock = match lock(pool).await {
        Err(RebuildError::Running) => return Ok(false),
        lock => lock?,
    };
    let live = recap_store::live_generation(pool).await?;
    let missing = offsets(pool, live).await?;
    if missing.is_empty() {
        return Ok(false);
    }
    observer.phase(Phase::Settling, None);
    let mut builder = Builder::new(pool, log, live, false, None, options, observer)?;
    builder.seek(missing).await?;
    builder.fill().await?;
    recap_store::settle_generation(pool, live).await?;
    Ok(true)
}

/// Folds what a scope holds into the live rows and writes each of them anew.
pub(crate) async fn replay_into_live(
    pool: &PgPool,
    log: &Log,
    writer: Arc<Writer>,
    scope: Scope,
    observer: Arc<dyn Observer>,
) -> Result<(), RebuildError> {
    let _lock = lock(pool).await?;
    let live = recap_store::live_generation(pool).await?;
    let options = RebuildOptions::new(writer);
    let since = scope.since;
    let mut builder = Builder::new(pool, log, live, false, Some(scope), &options, observer)?;
    match since {
        Some(since) => builder.seek_to_time(since).await?,
        None => builder.start_from_oldest().await?,
    }
    builder.fill().await
}

/// Drops the generations that are not live; returns them.
pub async fn discard(pool: &PgPool) -> Result<Vec<GenerationId>, RebuildError> {
    let _lock = lock(pool).await?;
    let mut dropped = Vec::new();
    for generation in recap_store::list_generations(pool).await? {
        if generation.status != GenerationStatus::Live {
            recap_store::discard_generation(pool, generation.id).await?;
            dropped.push(generation.id);
        }
    }
    Ok(dropped)
}

async fn compare(
    pool: &PgPool,
    log: &Log,
    from: GenerationId,
    to: GenerationId,
    options: &RebuildOptions,
    builder: &mut Builder,
) -> Result<Report, RebuildError> {
    let comparison = Comparison::new(pool, from, to).await?;
    verify(&comparison, async || {
        let end = builder.level().await?;
        wait_for_live(log, end, options.live_patience).await
    })
    .await
}

/// Waits until the live group has committed past `end`.
async fn wait_for_live(log: &Log, end: Offsets, patience: Duration) -> Result<(), RebuildError> {
    let log = log.clone();
    tokio::task::spawn_blocking(move || {
        let lookup = OffsetLookup::open(&log)?;
        let mut last = (lookup.committed()?.missing(&end), std::time::Instant::now());
        while last.0 > 0 {
            std::thread::sleep(Duration::from_millis(50));
            let missing = lookup.committed()?.missing(&end);
            if missing != last.0 {
                last = (missing, std::time::Instant::now());
            } else if last.1.elapsed() > patience {
                return Err(RebuildError::LiveStalled {
                    group: log.group.to_string(),
                    seconds: patience.as_secs(),
                    missing,
                });
            }
        }
        Ok(())
    })
    .await?
}

async fn switch(
    pool: &PgPool,
    log: &Log,
    from: GenerationId,
    to: GenerationId,
    builder: &mut Builder,
    observer: &dyn Observer,
) -> Result<(), RebuildError> {
    observer.phase(Phase::Switching, None);
    let committed = {
        let log = log.clone();
        tokio::task::spawn_blocking(move || OffsetLookup::open(&log)?.committed()).await??
    };
    recap_store::switch_generation(pool, from, to, &stored(&committed), &stored(builder.position())).await?;
    observer.phase(Phase::Settling, None);
    builder.level().await?;
    recap_store::settle_generation(pool, to).await?;
    Ok(())
}

fn stored(offsets: &Offsets) -> Vec<recap_store::GenerationOffset> {
    offsets
        .iter()
        .map(|(partition, next_offset)| recap_store::GenerationOffset {
            topic: partition.topic.to_string(),
            partition: partition.number,
            next_offset,
        })
        .collect()
}

async fn offsets(pool: &PgPool, id: GenerationId) -> Result<Offsets, RebuildError> {
    Ok(recap_store::generation_offsets(pool, id)
        .await?
        .into_iter()
        .map(|offset| (Partition::new(offset.topic, offset.partition), offset.next_offset))
        .collect())
}

async fn find(pool: &PgPool, status: GenerationStatus) -> Result<Option<Generation>, RebuildError> {
    Ok(recap_store::list_generations(pool)
        .await?
        .into_iter()
        .rev()
        .find(|generation| generation.status == status))
}

/// Held by the connection: the database lets go of it when the process dies.
async fn lock(pool: &PgPool) -> Result<PoolConnection<Postgres>, RebuildError> {
    let mut connection = pool.acquire().await?;
    let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(REBUILD_LOCK)
        .fetch_one(&mut *connection)
        .await?;
    if locked {
        // Not given back to the pool with the lock on it: closing ends the lock.
        connection.close_on_drop();
        Ok(connection)
    } else {
        Err(RebuildError::Running)
    }
}
