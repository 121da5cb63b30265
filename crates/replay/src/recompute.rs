//! Recomputes some rows of the live generation from the log while it is written to.
//!
//! The events in scope are folded and merged into the stored states, and every row in scope is written anew, changed or not.
//! Merging keeps what the log no longer holds, and nothing that arrives meanwhile is lost; what a row should never have held
//! stays, and takes a whole rebuild to be rid of.

use std::sync::Arc;

use object_store::ObjectStore;

use crate::{
    Replay, ReplayError, Scope,
    builder::{Builder, Target},
    lock::lock,
    rebuild::open,
};

impl Replay {
    /// Recomputes the rows in scope from the archive and the log.
    pub async fn recompute(&self, scope: Scope, archive: Option<&Arc<dyn ObjectStore>>) -> Result<(), ReplayError> {
        let _lock = lock(&self.store).await?;
        let live = self.store.live_generation().await?;
        let since = scope.since;
        let mut builder = Builder::new(self, live, Target::Live(scope))?;
        match since {
            Some(since) => builder.seek_to_time(since).await?,
            None => builder.seek_to_oldest().await?,
        }
        if let Some(archive) = open(archive).await? {
            builder.replay_archive(archive).await?;
        }
        builder.fill().await
    }
}
