//! The live generation remembers the mappings that its events are made with: changes are logged, for only a rebuild applies them to older records.

use std::sync::Arc;

use recap_service::backoff::Backoff;
use recap_store::{GenerationId, Store};

use crate::Settings;

/// Keeps the digest with the generation, and says when it was begun with other mappings. Tries until the database answers.
pub(crate) async fn remember_mappings(settings: Arc<Settings>, store: Store, generation: GenerationId) {
    let digest = settings.mappings.digest();
    let mut backoff = Backoff::new();
    loop {
        match store.adopt_mappings(generation, digest).await {
            Ok(kept) if kept == digest => return,
            Ok(kept) => {
                tracing::warn!(
                    %generation, kept, now = digest, mappings = ?settings.mappings,
                    "the mappings are not those that the live generation was begun with: records before now are there as those made them, \
                     until `recap rebuild` builds them anew"
                );
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "the mappings cannot be remembered yet");
                backoff.wait().await;
            }
        }
    }
}
