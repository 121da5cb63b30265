//! Builds a new generation beside the live one, proves it equal and switches to it.
//!
//! Fill from the oldest record (archive first, then Kafka), index, follow the log until both generations hold the same
//! events, compare, switch in one transaction, read on past the end offsets read after the switch. An interrupted rebuild
//! leaves the live generation as it was, and a checkpoint to go on from.

mod compaction;
mod live_group;
mod workers;

use std::{sync::Arc, time::Duration};

use object_store::ObjectStore;
use recap_store::{GenerationId, GenerationStatus};

pub use self::workers::Workers;
use crate::{
    Phase, Replay, ReplayError, Report, Switched,
    archive::ArchiveReader,
    builder::{Builder, Target},
    checkpoint::{self, Checkpoint},
    coverage,
    lock::lock,
    verify::verify,
};

/// How to rebuild.
#[derive(Clone)]
pub struct RebuildOptions {
    /// Switch although rows differ.
    pub accept_differences: bool,
    /// Go on with the generation that an interrupted rebuild left.
    pub resume: bool,
    /// Start from the live generation's rows instead of from nothing.
    pub onto_current: bool,
    /// Replayed before Kafka's records, or, on going on, for what Kafka has lost since.
    pub archive: Option<Arc<dyn ObjectStore>>,
    /// How long the live projector may make no progress before the comparison is given up.
    pub live_timeout: Duration,
    /// Processes that fill the generation in place of this one.
    pub workers: Option<Arc<dyn Workers>>,
}

impl Default for RebuildOptions {
    fn default() -> Self {
        Self {
            accept_differences: false,
            resume: false,
            onto_current: false,
            archive: None,
            live_timeout: Duration::from_mins(1),
            workers: None,
        }
    }
}

/// How a rebuild ended.
#[derive(Debug)]
pub enum Outcome {
    /// The new generation is live.
    Switched {
        /// From which generation to which.
        switched: Switched,
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

impl Replay {
    /// Builds, verifies, switches.
    pub async fn rebuild(&self, options: &RebuildOptions) -> Result<Outcome, ReplayError> {
        let _lock = lock(&self.store).await?;
        let from = self.store.live_generation().await?;
        let unfinished = self.unfinished(options.resume).await?;
        let mut builder = match (&options.workers, unfinished) {
            (Some(workers), unfinished) => {
                let generation = match unfinished {
                    Some(generation) => generation,
                    None => self.create_for_workers(from, options).await?,
                };
                self.fill_by_workers(generation, options, &**workers).await?;
                let checkpoint = checkpoint::load(&self.store, generation).await?;
                self.go_on(generation, checkpoint, options.archive.as_ref()).await?
            }
            (None, Some(generation)) => {
                // Of a rebuild that had workers: what they have left.
                self.fill_shares(generation, options.archive.as_ref()).await?;
                self.store.forget_shares(generation).await?;
                let checkpoint = checkpoint::load(&self.store, generation).await?;
                self.go_on(generation, checkpoint, options.archive.as_ref()).await?
            }
            (None, None) => self.begin(from, options).await?,
        };
        builder.fill().await?;
        let to = builder.generation();
        let report = Box::pin(self.index_and_compare(from, to, options, &mut builder)).await?;
        if !report.is_empty() && !options.accept_differences {
            builder.catch_up().await?;
            return Ok(Outcome::Differs { built: to, report });
        }
        let switched = self.switch(from, to, &mut builder).await?;
        Ok(Outcome::Switched { switched, report })
    }

    /// The generation that an interrupted rebuild left, some of it complete; an error unless `resume` asks for it.
    async fn unfinished(&self, resume: bool) -> Result<Option<GenerationId>, ReplayError> {
        let unfinished = match (self.newest(GenerationStatus::Building).await?, resume) {
            (None, false) => return Ok(None),
            (None, true) => return Err(ReplayError::NothingToResume),
            (Some(unfinished), false) => return Err(ReplayError::Unfinished(unfinished)),
            (Some(unfinished), true) => unfinished,
        };
        if self.mappings_of(unfinished).await? != self.log.mappings.digest() {
            return Err(ReplayError::MappingsChanged(unfinished));
        }
        let checkpoint = checkpoint::load(&self.store, unfinished).await?;
        if checkpoint.is_empty() && self.store.shares(unfinished).await?.all == 0 {
            // Interrupted before its first checkpoint: nothing of it is known to be whole.
            self.store.discard_generation(unfinished).await?;
            return Ok(None);
        }
        Ok(Some(unfinished))
    }

    /// The digest of the mappings that a generation's events were made with.
    pub(crate) async fn mappings_of(&self, id: GenerationId) -> Result<String, ReplayError> {
        let generations = self.store.generations().await?;
        let found = generations.into_iter().find(|generation| generation.id == id);
        Ok(found.map(|generation| generation.mappings).unwrap_or_default())
    }

    /// A generation that is complete up to a checkpoint, with what the log has lost since then read from the archive.
    pub(crate) async fn go_on(
        &self,
        generation: GenerationId,
        checkpoint: Checkpoint,
        archive: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<Builder, ReplayError> {
        let is_whole = self.check_coverage(&checkpoint, archive).await?;
        let mut builder = self.builder(generation)?;
        builder.seek(&checkpoint).await?;
        if let Some(archive) = open(archive.filter(|_| !is_whole)).await? {
            builder.replay_archive(archive).await?;
        }
        Ok(builder)
    }

    /// Refuses unless log and archive hold every record from a checkpoint on. Returns whether the log alone does.
    pub(crate) async fn check_coverage(
        &self,
        from: &Checkpoint,
        archive: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<bool, ReplayError> {
        let archive = open(archive).await?;
        coverage::check(&self.log, from, archive.as_ref()).await
    }

    /// A new generation with what the archive and, where asked, the live rows hold.
    async fn begin(&self, live: GenerationId, options: &RebuildOptions) -> Result<Builder, ReplayError> {
        let generation = self.create(live, options).await?;
        let target = if options.onto_current {
            Target::Existing
        } else {
            Target::Empty
        };
        let mut builder = Builder::new(self, generation, target)?;
        builder.seek_to_oldest().await?;
        if let Some(archive) = open(options.archive.as_ref()).await? {
            builder.replay_archive(archive).await?;
        }
        Ok(builder)
    }

    /// A new generation with what the live rows hold, where asked, when archive and log hold what is needed.
    async fn create(&self, live: GenerationId, options: &RebuildOptions) -> Result<GenerationId, ReplayError> {
        let archive = open(options.archive.as_ref()).await?;
        if !options.onto_current {
            let from_the_first = Checkpoint::default();
            let coverage = coverage::check(&self.log, &from_the_first, archive.as_ref());
            tokio::try_join!(coverage, compaction::check(&self.log, archive.is_some()))?;
        }
        let generation = self.store.create_generation().await?;
        let mut mappings = self.log.mappings.digest().to_owned();
        if options.onto_current {
            // The rows that it starts from were made with these.
            mappings = self.store.adopt_mappings(live, &mappings).await?;
        }
        self.store.adopt_mappings(generation, &mappings).await?;
        if options.onto_current {
            self.store.copy_generation(live, generation).await?;
        }
        Ok(generation)
    }

    /// The same for workers, each of whom begins at the checkpoint: what the log held no longer is in the copied rows.
    async fn create_for_workers(
        &self,
        live: GenerationId,
        options: &RebuildOptions,
    ) -> Result<GenerationId, ReplayError> {
        let generation = self.create(live, options).await?;
        if options.onto_current {
            let mut builder = self.builder(generation)?;
            builder.seek_to_oldest().await?;
            let oldest = builder.checkpoint();
            self.store.save_generation_offsets(generation, &oldest).await?;
        }
        Ok(generation)
    }

    async fn index_and_compare(
        &self,
        from: GenerationId,
        to: GenerationId,
        options: &RebuildOptions,
        builder: &mut Builder,
    ) -> Result<Report, ReplayError> {
        self.observer.phase(Phase::Indexing, None);
        let indexing = async {
            self.store.create_indexes(to).await?;
            self.observer.phase(Phase::Verifying, None);
            Ok(())
        };
        let comparing = async {
            let comparison = self.store.compare(from, to).await?;
            verify(&comparison, async || {
                let end = builder.catch_up().await?;
                live_group::wait_for_commits(&self.log, end, options.live_timeout).await
            })
            .await
        };
        let ((), mut report) = tokio::try_join!(indexing, comparing)?;
        let (old, new) = (self.mappings_of(from).await?, self.mappings_of(to).await?);
        report.mappings = (old != new).then_some((old, new));
        Ok(report)
    }
}

pub(crate) async fn open(archive: Option<&Arc<dyn ObjectStore>>) -> Result<Option<ArchiveReader>, ReplayError> {
    match archive {
        Some(store) => Ok(Some(ArchiveReader::open(Arc::clone(store)).await?)),
        None => Ok(None),
    }
}
