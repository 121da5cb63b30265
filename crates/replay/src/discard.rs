//! Drops the generations that nobody needs any more.

use recap_store::{GenerationId, GenerationStatus};
use sqlx::PgPool;

use crate::{Replay, ReplayError, lock::lock};

impl Replay {
    /// Drops every generation that is not live; returns them. It needs no log.
    pub async fn discard(pool: &PgPool) -> Result<Vec<GenerationId>, ReplayError> {
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
}
