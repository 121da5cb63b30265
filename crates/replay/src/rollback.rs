//! Makes the generation live again that was so before the last switch.

use std::sync::Arc;

use object_store::ObjectStore;
use recap_store::GenerationStatus;

use crate::{Replay, ReplayError, Switched, checkpoint, lock::lock};

impl Replay {
    /// Replays into the generation that was live before what it has missed, from the archive where Kafka no longer has it, and
    /// switches to it.
    pub async fn rollback(&self, archive: Option<&Arc<dyn ObjectStore>>) -> Result<Switched, ReplayError> {
        let _lock = lock(&self.store).await?;
        let from = self.store.live_generation().await?;
        if let Some(unfinished) = self.newest(GenerationStatus::Building).await? {
            return Err(ReplayError::Unfinished(unfinished));
        }
        let kept = self.newest(GenerationStatus::Kept).await?;
        let to = kept.ok_or(ReplayError::NothingKept)?;
        let checkpoint = checkpoint::load(&self.store, to).await?;
        // Before anything is changed: what is refused stays kept.
        self.check_coverage(&checkpoint, archive).await?;
        self.store.reopen_generation(to).await?;
        let mut builder = self.go_on(to, checkpoint, archive).await?;
        builder.fill().await?;
        self.switch(from, to, &mut builder).await
    }
}
