//! Makes the generation live again that was so before the last switch.

use recap_store::GenerationStatus;

use crate::{Replay, ReplayError, Switched, checkpoint, lock::lock};

impl Replay {
    /// Replays into the generation that was live before what it has missed, and switches to it.
    pub async fn rollback(&self) -> Result<Switched, ReplayError> {
        let _lock = lock(&self.store).await?;
        let from = self.store.live_generation().await?;
        if let Some(unfinished) = self.newest(GenerationStatus::Building).await? {
            return Err(ReplayError::Unfinished(unfinished));
        }
        let kept = self.newest(GenerationStatus::Kept).await?;
        let to = kept.ok_or(ReplayError::NothingKept)?;
        self.store.reopen_generation(to).await?;
        let mut builder = self.builder(to)?;
        builder.seek(checkpoint::load(&self.store, to).await?).await?;
        builder.fill().await?;
        self.switch(from, to, &mut builder).await
    }
}
