//! Drops the generations that are neither live nor kept for a rollback.

use recap_store::{GenerationId, GenerationStatus, Store};

use crate::{Replay, ReplayError, lock::lock};

impl Replay {
    /// Drops every generation that is not live; returns them. It needs no log.
    pub async fn discard(store: &Store) -> Result<Vec<GenerationId>, ReplayError> {
        let _lock = lock(store).await?;
        let mut dropped = Vec::new();
        for generation in store.generations().await? {
            if generation.status != GenerationStatus::Live {
                store.discard_generation(generation.id).await?;
                dropped.push(generation.id);
            }
        }
        Ok(dropped)
    }
}
