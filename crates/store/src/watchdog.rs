//! Statements that take as long as they take: no bound says how long an index is made or two generations are compared. So another connection
//! asks, again and again, whether the server is at work for the one that waits.
//!
//! Keep-alives of TCP would not do: a proxy in between answers them itself.

use std::{sync::Arc, time::Duration};

use sqlx::{ConnectOptions as _, Connection as _, Row as _, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep};

use crate::{
    Store, connect,
    lease::{BRIEF, Lease, no_answer, within},
    sql::sql,
};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// How long nothing may be heard of the server's work.
const SILENCE: Duration = Duration::from_secs(15);

/// A coordinator of a cluster that waits for its nodes says that it reads from its client (Citus 13.2.2, `adaptive_executor.c`), in the middle of a statement.
const WAITS_FOR_NODES: &str = "state = 'active' AND wait_event = 'ClientRead' \
                               AND EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus')";

/// Watches one connection from others.
pub(crate) struct Watchdog {
    options: Arc<PgConnectOptions>,
    backend: i32,
}

/// What the server does for the connection that is watched.
#[derive(Debug, PartialEq)]
enum Backend {
    Works,
    /// It has answered, or sends an answer that nobody takes; since then.
    WaitsForClient(String),
    Gone,
}

impl Store {
    /// A connection for statements of any length, which are to be run under its watchdog.
    pub(crate) async fn watched_lease(&self) -> Result<(Lease, Watchdog), sqlx::Error> {
        let mut lease = self.lease().await?;
        let backend = within(BRIEF, connect::backend(lease.get()?)).await?;
        let options = self.operating().connect_options();
        Ok((lease, Watchdog { options, backend }))
    }
}

impl Watchdog {
    /// Waits for `work`, which is done on the watched connection alone; after an error that connection must not be given back.
    pub async fn over<T, E: From<sqlx::Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.silence() => Err(no_answer(SILENCE).into()),
        }
    }

    /// Ends when the server has not been at work for so long that its answer must be lost.
    async fn silence(&self) {
        let mut heard = Instant::now();
        let mut seen = Backend::Works;
        while heard.elapsed() < SILENCE {
            sleep(LOOK).await;
            let is_sign = match within(BRIEF, self.look()).await {
                Ok(now) => {
                    let before = std::mem::replace(&mut seen, now);
                    seen == Backend::Works || (seen != Backend::Gone && seen != before)
                }
                // It answers, though not this: there are too many connections, for one.
                Err(error) => error.as_database_error().is_some(),
            };
            if is_sign {
                heard = Instant::now();
            }
        }
    }

    async fn look(&self) -> Result<Backend, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let found = sqlx::query(sql(format!(
            "SELECT wait_event_type IS NOT DISTINCT FROM 'Client' AND NOT ({WAITS_FOR_NODES}), state_change::text \
             FROM pg_stat_activity WHERE pid = $1"
        )))
        .bind(self.backend)
        .fetch_optional(&mut connection)
        .await?;
        let _closing = connection.close().await;
        let Some(row) = found else {
            return Ok(Backend::Gone);
        };
        let (waits, since): (bool, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        Ok(match since {
            Some(since) if waits => Backend::WaitsForClient(since),
            _ => Backend::Works,
        })
    }
}
