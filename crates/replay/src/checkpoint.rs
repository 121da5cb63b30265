//! The offsets that the database keeps of a generation: before them it is complete.
//!
//! - Of the one being built, the last checkpoint: an interrupted build goes on from there.
//! - Of the one just switched to, until the rebuild has read past the switch: a projector starts no later than that, so
//!   nothing is missing even if the rebuild dies in between.
//! - Of one kept for a rollback, what the live group had committed before the switch.
//!
//! Replaying from anywhere before such an offset is harmless, since merging is idempotent.

use recap_log::{Offsets, Partition};
use recap_store::{GenerationId, GenerationOffset, Store};

use crate::ReplayError;

/// The offsets of a generation; empty without a checkpoint.
pub(crate) async fn load(store: &Store, generation: GenerationId) -> Result<Offsets, ReplayError> {
    let stored = store.generation_offsets(generation).await?;
    let offsets = stored.into_iter().map(|offset| {
        let partition = Partition::new(offset.topic, offset.partition);
        (partition, offset.next_offset)
    });
    Ok(offsets.collect())
}

/// Sets a checkpoint: everything before it is written.
pub(crate) async fn save(store: &Store, generation: GenerationId, offsets: &Offsets) -> Result<(), ReplayError> {
    Ok(store.save_generation_offsets(generation, &stored(offsets)).await?)
}

/// The form that the database keeps.
pub(crate) fn stored(offsets: &Offsets) -> Vec<GenerationOffset> {
    let stored = offsets.iter().map(|(partition, next_offset)| GenerationOffset {
        topic: partition.topic.to_string(),
        partition: partition.number,
        next_offset,
    });
    stored.collect()
}
