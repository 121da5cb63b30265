//! How far a standby is behind its primary.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

/// A position in a primary's write-ahead log; a standby replays it in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(pub(crate) i64);

impl LogPosition {
    /// So many bytes after the log's beginning.
    #[must_use]
    pub const fn new(bytes: i64) -> Self {
        Self(bytes)
    }
}

/// What a standby says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replication {
    /// Everything before it is visible.
    pub replayed: LogPosition,
    /// How old the last replayed commit is, while there is more to replay or nothing is received; else nothing.
    pub lag: Duration,
}

pub(super) async fn standby(connection: &mut PgConnection) -> Result<Option<Replication>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END, \
         CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0 \
           ELSE extract(epoch FROM clock_timestamp() - COALESCE(pg_last_xact_replay_timestamp(), pg_postmaster_start_time())) END::float8",
    )
    .fetch_one(connection)
    .await?;
    let replayed: Option<i64> = row.try_get(0)?;
    let lag: Option<f64> = row.try_get(1)?;
    Ok(replayed.map(|replayed| Replication {
        replayed: LogPosition(replayed),
        lag: Duration::try_from_secs_f64(lag.unwrap_or(0.0).max(0.0)).unwrap_or_default(),
    }))
}
