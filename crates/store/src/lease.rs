//! Connections on which no wait is for ever: a peer that falls silent, without closing anything, must hold nothing here.

use std::{fmt, io, time::Duration};

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};

/// How long a statement that touches a few rows may take, and a round trip that carries nothing.
pub(crate) const BRIEF: Duration = Duration::from_secs(5);
/// How long an idle connection may take to answer before another is opened.
const PING: Duration = Duration::from_secs(2);
/// What the server's own time limit is given to reach us.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// A pool's connection. Dropped before [`Self::give_back`] it is cut: whatever it was in the middle of, it is unfit for anybody else.
pub(crate) struct Lease(Option<PoolConnection<Postgres>>);

impl Lease {
    /// Waits as long as the pool allows.
    pub async fn of(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self(Some(pool.acquire().await?)))
    }

    pub fn get(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Gives the connection back to its pool, if it still answers.
    pub fn give_back(mut self) {
        if let Some(mut connection) = self.0.take() {
            // What sqlx does when a connection is dropped, with a bound.
            tokio::spawn(async move { tokio::time::timeout(BRIEF, connection.return_to_pool()).await });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            // Closing politely would wait for the peer.
            drop(connection.detach());
        }
    }
}

/// The peer did not answer in time.
#[derive(Debug)]
pub(crate) struct NoAnswer(Duration);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {} s", self.0.as_secs())
    }
}

impl std::error::Error for NoAnswer {}

impl NoAnswer {
    /// Whether that is what an error is.
    pub fn is(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::Io(error) if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>))
    }
}

pub(crate) fn no_answer(limit: Duration) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, NoAnswer(limit)))
}

/// Bounds a wait for the database. When the bound is passed, the connection must not be given back.
pub(crate) async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer(limit).into()),
    }
}

/// A pool that does not wait long for an idle connection whose peer is silent.
pub(crate) fn pool(max_connections: u32, acquire_timeout: Duration) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            Box::pin(async move {
                within(PING, connection.ping()).await?;
                Ok(true)
            })
        })
}
