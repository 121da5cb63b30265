//! A worker of a rebuild: takes one share after the other of the generation that is being built, until all are filled.
//!
//! A worker that dies leaves its share to the others, who go on from its last checkpoint. One that comes back after others took its share does no harm
//! meanwhile: it merges what they merge, and a checkpoint only ever moves forward. It looks for another share as soon as it notices.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use object_store::ObjectStore;
use recap_store::{GenerationId, GenerationStatus, Share};

use crate::{
    Observer, Phase, Replay, ReplayError,
    builder::{Builder, Target},
    checkpoint,
    rebuild::open,
};

/// How often a worker without a share looks whether one was left.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Replay {
    /// Fills shares of the generation that is being built until none is left; returns it, and how many shares this process has filled.
    pub async fn join(&self, archive: Option<&Arc<dyn ObjectStore>>) -> Result<(GenerationId, u32), ReplayError> {
        let building = self.newest(GenerationStatus::Building).await?;
        let generation = building.ok_or(ReplayError::NothingToJoin)?;
        if self.store.shares(generation).await?.all == 0 {
            return Err(ReplayError::NothingToJoin);
        }
        if self.mappings_of(generation).await? != self.log.mappings.digest() {
            return Err(ReplayError::OtherMappings(generation));
        }
        Ok((generation, self.fill_shares(generation, archive).await?))
    }

    /// Fills shares of a generation until none is left; returns how many. A database that is away is waited for.
    pub(crate) async fn fill_shares(
        &self,
        generation: GenerationId,
        archive: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<u32, ReplayError> {
        let mut filled = 0;
        loop {
            match self.fill_next(generation, archive).await {
                Ok(Next::Filled) => filled += 1,
                Ok(Next::Ended) => return Ok(filled),
                Ok(Next::Wait) => tokio::time::sleep(LOOK_EVERY).await,
                Err(ReplayError::ShareLost) => {
                    tracing::warn!(
                        "another worker has taken the share that was being filled here: this process was not heard of"
                    );
                }
                Err(ReplayError::Database(error)) => {
                    tracing::warn!(%error, "the database is unavailable; trying again");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn fill_next(
        &self,
        generation: GenerationId,
        archive: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<Next, ReplayError> {
        if let Some(share) = self.store.take_share(generation).await? {
            self.work_on(generation, share, archive).await?;
            return Ok(Next::Filled);
        }
        let shares = self.store.shares(generation).await?;
        Ok(if shares.filled == shares.all {
            Next::Ended
        } else {
            Next::Wait
        })
    }

    /// Fills a share, and says meanwhile that it is being filled.
    async fn work_on(
        &self,
        generation: GenerationId,
        share: Share,
        archive: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<(), ReplayError> {
        let read = Arc::new(Read {
            observer: Arc::clone(&self.observer),
            records: AtomicU64::new(0),
            events: AtomicU64::new(0),
        });
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Self {
            observer: Arc::clone(&read) as Arc<dyn Observer>,
            ..self.clone()
        };
        // It is large, and so would all be that await it.
        let filling = Box::pin(worker.fill_share(generation, share, &stop, archive));
        let filled = self.while_holding(generation, share, &read, &stop, filling).await;
        match filled {
            Ok(()) => {
                self.store.finish_share(generation, &share, read.take()).await?;
                Ok(())
            }
            Err(error) => {
                // It may have been the database; then the share is left when nobody has heard of this process for a while.
                let _ = self.store.leave_share(generation, &share).await;
                Err(error)
            }
        }
    }

    /// Awaits `filling`; asks it to stop when another worker has the share.
    async fn while_holding(
        &self,
        generation: GenerationId,
        share: Share,
        read: &Read,
        stop: &AtomicBool,
        mut filling: Pin<Box<impl Future<Output = Result<(), ReplayError>>>>,
    ) -> Result<(), ReplayError> {
        loop {
            tokio::select! {
                filled = &mut filling => return filled,
                () = tokio::time::sleep(Share::HEARTBEAT) => {}
            }
            let progress = read.take();
            match self.store.hold_share(generation, &share, progress).await {
                Ok(true) => {}
                Ok(false) => stop.store(true, Ordering::Relaxed),
                Err(error) => {
                    read.give_back(progress);
                    tracing::warn!(%error, "the database cannot be told that this share is being filled; trying again");
                }
            }
        }
    }

    async fn fill_share(
        &self,
        generation: GenerationId,
        share: Share,
        stop: &Arc<AtomicBool>,
        archive: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<(), ReplayError> {
        if share.archive_pending && archive.is_none() {
            return Err(ReplayError::NoArchive(generation));
        }
        let checkpoint = checkpoint::load(&self.store, generation).await?;
        let is_whole = self.check_coverage(&checkpoint, archive).await?;
        let mut builder = Builder::new(self, generation, Target::Share(share, Arc::clone(stop)))?;
        builder.seek(&checkpoint).await?;
        if let Some(archive) = open(archive.filter(|_| share.archive_pending || !is_whole)).await? {
            builder.replay_archive(archive).await?;
            self.store.archive_is_in_share(generation, &share).await?;
        }
        builder.fill().await
    }
}

/// What came of looking for a share.
enum Next {
    Filled,
    /// Others are at work on what is left.
    Wait,
    Ended,
}

/// Counts what a worker reads, for the others to see.
struct Read {
    observer: Arc<dyn Observer>,
    records: AtomicU64,
    events: AtomicU64,
}

impl Read {
    /// Records and events since the last time.
    fn take(&self) -> (u64, u64) {
        (
            self.records.swap(0, Ordering::Relaxed),
            self.events.swap(0, Ordering::Relaxed),
        )
    }

    fn give_back(&self, (records, events): (u64, u64)) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.events.fetch_add(events, Ordering::Relaxed);
    }
}

impl Observer for Read {
    fn phase(&self, phase: Phase, records: Option<u64>) {
        self.observer.phase(phase, records);
    }

    fn read(&self, records: u64, events: u64) {
        self.give_back((records, events));
        self.observer.read(records, events);
    }
}
