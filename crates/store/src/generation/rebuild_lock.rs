//! At most one rebuild at a time.

use sqlx::{Postgres, pool::PoolConnection};

use crate::{
    Store,
    error::DatabaseError,
    lease::{BRIEF, within},
};

/// The advisory lock of a rebuild; the value is arbitrary and must never change.
const REBUILD_LOCK: i64 = 0x7265_6361_7002;

/// Held by a running rebuild. The database lets go of it when the process dies.
#[derive(Debug)]
pub struct RebuildLock(#[expect(dead_code, reason = "the lock belongs to the connection")] PoolConnection<Postgres>);

impl Store {
    /// Takes the lock of rebuilds; `None` when another holds it.
    pub async fn lock_rebuilds(&self) -> Result<Option<RebuildLock>, DatabaseError> {
        let mut connection = self.operating().acquire().await?;
        // Not given back to the pool with the lock on it: closing ends the lock.
        connection.close_on_drop();
        let locking = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(REBUILD_LOCK)
            .fetch_one(&mut *connection);
        let locked: bool = within(BRIEF, locking).await?;
        if !locked {
            return Ok(None);
        }
        Ok(Some(RebuildLock(connection)))
    }
}
