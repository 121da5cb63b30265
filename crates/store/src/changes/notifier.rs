//! Announcing flushes: after their commits, in a transaction of its own, many at once.
//!
//! PostgreSQL commits transactions with a `NOTIFY` one after the other in the whole cluster: a flush that carried its own would hold back every
//! other while its commit waits for a disk or for a standby.

use std::{
    collections::HashMap,
    mem::take,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use uuid::Uuid;

use super::{Announcement, CHANNEL};
use crate::{
    OrgBuckets,
    connect::Pool,
    lease::{BRIEF, within},
    sql::sql,
};

/// Between two attempts while the database is away.
const RETRY: Duration = Duration::from_millis(500);
/// The writers of one announcement; a notification has 8,000 bytes.
const WRITERS: usize = 100;

/// What one process has to announce.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    touched: Option<OrgBuckets>,
    attempts: HashMap<Uuid, i64>,
    is_sending: bool,
}

impl Notifier {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces an attempt of a writer, soon.
    pub fn announce(self: &Arc<Self>, pool: &Pool, writer: Uuid, attempt: i64, touched: &OrgBuckets) {
        let mut state = self.state();
        state.touched.get_or_insert_with(OrgBuckets::none).add_all(touched);
        state.attempts.insert(writer, attempt);
        if !state.is_sending {
            state.is_sending = true;
            tokio::spawn(Arc::clone(self).send_all(pool.clone()));
        }
    }

    /// Waits until everything is announced.
    pub async fn finish(&self) {
        loop {
            let idle = self.idle.notified();
            if !self.state().is_sending {
                return;
            }
            idle.await;
        }
    }

    async fn send_all(self: Arc<Self>, pool: Pool) {
        while let Some(announcement) = self.take() {
            let statement = format!(
                "BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_notify('{CHANNEL}', '{}'); COMMIT",
                announcement.encode()
            );
            while let Err(error) = send(&pool, statement.clone()).await {
                if matches!(error, sqlx::Error::PoolClosed) {
                    break;
                }
                tracing::debug!(%error, "a commit is not announced yet");
                tokio::time::sleep(RETRY).await;
            }
        }
        self.idle.notify_waiters();
    }

    fn take(&self) -> Option<Announcement> {
        let mut state = self.state();
        let Some(touched) = state.touched.take() else {
            state.is_sending = false;
            return None;
        };
        let mut attempts: Vec<(Uuid, i64)> = take(&mut state.attempts).into_iter().collect();
        if attempts.len() > WRITERS {
            state.attempts.extend(attempts.split_off(WRITERS));
            state.touched = Some(touched.clone());
        }
        Some(Announcement { touched, attempts })
    }
}

async fn send(pool: &Pool, statement: String) -> Result<(), sqlx::Error> {
    let mut lease = pool.lease().await?;
    within(BRIEF, sqlx::raw_sql(sql(statement)).execute(lease.get()?)).await?;
    lease.give_back();
    Ok(())
}
