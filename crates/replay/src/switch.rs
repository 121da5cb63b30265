//! Makes another generation live, and reads past the switch.

use recap_log::{LogError, OffsetLookup};
use recap_store::{FlushError, GenerationId, GenerationStatus};

use crate::{
    Phase, Replay, ReplayError,
    builder::{Builder, Target},
    checkpoint,
};

/// A switch that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// The generation that was live, and is kept.
    pub from: GenerationId,
    /// The generation that is live.
    pub to: GenerationId,
}

impl Replay {
    pub(crate) async fn switch(
        &self,
        from: GenerationId,
        to: GenerationId,
        builder: &mut Builder,
    ) -> Result<Switched, ReplayError> {
        self.observer.phase(Phase::Switching, None);
        let log = self.log.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let lookup = OffsetLookup::open(&log)?;
            Ok::<_, LogError>((lookup.committed()?, lookup.ids()?))
        });
        let (committed, ids) = asking.await??;
        let of_old = checkpoint::of_live_group(&self.store, &committed, &ids).await?;
        self.store
            .switch_generation(from, to, &of_old, &builder.checkpoint())
            .await?;
        self.observer.phase(Phase::FinishingSwitch, None);
        // A projector may have written its last batch into the old generation meanwhile.
        builder.catch_up().await?;
        self.finish(from, to).await?;
        self.drop_kept_but(from).await?;
        Ok(Switched { from, to })
    }

    /// What is left to do once the live generation has everything from before the switch.
    pub(crate) async fn finish(&self, kept: GenerationId, live: GenerationId) -> Result<(), ReplayError> {
        self.complete_kept(kept).await?;
        Ok(self.store.clear_generation_offsets(live).await?)
    }

    /// Reads past the switch for the kept generation, too. What a projector erases in the live one from now on it erases in both (`store/src/write/erasure.rs`); what it
    /// found erased already, by the rebuild that was faster, is erased here.
    async fn complete_kept(&self, kept: GenerationId) -> Result<(), ReplayError> {
        let checkpoint = checkpoint::load(&self.store, kept).await?;
        let mut builder = Builder::new(self, kept, Target::Kept)?;
        builder.seek(&checkpoint).await?;
        match builder.catch_up().await {
            // It may be what the rebuild was for.
            Err(ReplayError::Flush(error @ FlushError::State { .. })) => {
                tracing::error!(%error, "generation {kept} is kept and cannot be rolled back to");
                Ok(())
            }
            caught_up => caught_up.map(drop),
        }
    }

    /// One generation is kept for a rollback: each is as large as the live one, and holds what people may ask to have erased.
    async fn drop_kept_but(&self, kept: GenerationId) -> Result<(), ReplayError> {
        for generation in self.store.generations().await? {
            if generation.status == GenerationStatus::Kept && generation.id != kept {
                self.store.discard_generation(generation.id).await?;
            }
        }
        Ok(())
    }

    /// A builder for a generation that has rows, or may have.
    pub(crate) fn builder(&self, generation: GenerationId) -> Result<Builder, ReplayError> {
        Builder::new(self, generation, Target::Existing)
    }
}
