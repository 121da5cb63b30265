//! Makes another generation live, and reads past the switch.

use recap_log::OffsetLookup;
use recap_store::{GenerationId, GenerationStatus};

use crate::{Phase, Replay, ReplayError, builder::Builder, checkpoint::stored};

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
        let committed = tokio::task::spawn_blocking(move || OffsetLookup::open(&log)?.committed()).await??;
        self.store
            .switch_generation(from, to, &stored(&committed), &stored(builder.position()))
            .await?;
        self.observer.phase(Phase::FinishingSwitch, None);
        // A projector may have written its last batch into the old generation meanwhile.
        builder.catch_up().await?;
        self.store.clear_generation_offsets(to).await?;
        self.drop_kept_but(from).await?;
        Ok(Switched { from, to })
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
        Builder::new(self, generation, crate::builder::Target::Existing)
    }
}
