//! One operation at a time on a database.

use recap_store::{RebuildLock, Store};

use crate::ReplayError;

/// Takes the lock, or fails with [`ReplayError::Running`].
pub(crate) async fn lock(store: &Store) -> Result<RebuildLock, ReplayError> {
    store.lock_rebuilds().await?.ok_or(ReplayError::Running)
}
