//! One operation at a time on a database.

use sqlx::{PgPool, Postgres, pool::PoolConnection};

use crate::ReplayError;

/// Key of the session lock.
const LOCK: i64 = 0x7265_6361_7002;

/// Takes the lock, or fails with [`ReplayError::Running`]. The connection holds it: the database lets go of it when the
/// process dies.
pub(crate) async fn lock(pool: &PgPool) -> Result<PoolConnection<Postgres>, ReplayError> {
    let mut connection = pool.acquire().await?;
    let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut *connection)
        .await?;
    if locked {
        // Not given back to the pool with the lock on it: closing ends the lock.
        connection.close_on_drop();
        Ok(connection)
    } else {
        Err(ReplayError::Running)
    }
}
