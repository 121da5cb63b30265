//! Reads past a switch whose rebuild died before it had.

use recap_store::{GenerationId, GenerationStatus};

use crate::{Phase, Replay, ReplayError, checkpoint, coverage, lock::lock};

impl Replay {
    /// Finishes an interrupted switch, if there is one; `false` when nothing is left to do, and while a rebuild runs. Asking
    /// is one small statement: projectors do so at intervals.
    pub async fn finish_switch(&self) -> Result<bool, ReplayError> {
        let live = self.store.live_generation().await?;
        if checkpoint::load(&self.store, live).await?.is_empty() {
            return Ok(false);
        }
        let _lock = match lock(&self.store).await {
            Err(ReplayError::Running) => return Ok(false),
            lock => lock?,
        };
        let live = self.store.live_generation().await?;
        let missing = checkpoint::load(&self.store, live).await?;
        if missing.is_empty() {
            return Ok(false);
        }
        self.observer.phase(Phase::FinishingSwitch, None);
        // Nobody can give these records back, and the others must not wait for them.
        match coverage::check(&self.log, &missing, None).await {
            Err(ReplayError::LogIncomplete(holes)) => {
                for hole in holes {
                    tracing::error!(
                        partition = %hole.partition,
                        from = hole.from,
                        to = hole.to,
                        with_topic = hole.with_topic,
                        "records were removed from the log before generation {live} had them: rebuild from an archive"
                    );
                }
            }
            checked => drop(checked?),
        }
        let mut builder = self.builder(live)?;
        builder.seek(&missing).await?;
        builder.fill().await?;
        match self.last_live().await? {
            Some(kept) => self.finish(kept, live).await?,
            None => self.store.clear_generation_offsets(live).await?,
        }
        Ok(true)
    }

    /// The kept generation that was live last.
    async fn last_live(&self) -> Result<Option<GenerationId>, ReplayError> {
        let mut kept = self.store.generations().await?;
        kept.retain(|generation| generation.status == GenerationStatus::Kept);
        let last = kept.into_iter().max_by_key(|generation| generation.live_since);
        Ok(last.map(|generation| generation.id))
    }
}
