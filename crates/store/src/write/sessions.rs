//! Whether the database still has what it confirmed.
//!
//! A standby that was promoted, or a backup that was restored, may lack commits that were confirmed to a writer, and states kept in memory
//! rest on them. So each flush counts up a row of its own, and first looks whether the rows of all flushes are where they were.

use std::{
    collections::HashMap,
    mem::take,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sqlx::{PgConnection, PgExecutor, Row as _};
use uuid::Uuid;

use crate::GenerationId;

/// The flushes of one process.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<(Uuid, i64)>,
    /// The last attempt of each session that the database confirmed.
    confirmed: HashMap<Uuid, i64>,
}

/// What the database confirmed, for a statement that checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confirmed {
    pub ids: Vec<Uuid>,
    pub attempts: Vec<i64>,
}

/// The session of one flush. It is free again once dropped.
#[derive(Debug)]
pub(crate) struct Session<'s> {
    sessions: &'s Sessions,
    pub id: Uuid,
    pub attempt: i64,
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session that no other flush has, made now if there is none.
    pub async fn take(&self, database: impl PgExecutor<'_>) -> Result<Session<'_>, sqlx::Error> {
        let free = self.state().free.pop();
        let (id, attempt) = match free {
            Some(session) => session,
            None => (create(database).await?, 0),
        };
        Ok(Session {
            sessions: self,
            id,
            attempt: attempt + 1,
        })
    }

    /// What the database confirmed until now.
    pub fn confirmed(&self) -> Confirmed {
        let state = self.state();
        let (ids, attempts) = state.confirmed.iter().unzip();
        Confirmed { ids, attempts }
    }

    /// Forgets everything: all that rested on it is gone.
    pub fn clear(&self) {
        take(&mut *self.state());
    }
}

impl Session<'_> {
    /// The live generation; `None` when the database lacks something that it had confirmed. The attempt is committed with the transaction.
    pub async fn begin(&self, connection: &mut PgConnection) -> Result<Option<GenerationId>, sqlx::Error> {
        let Confirmed { ids, attempts } = self.sessions.confirmed();
        let row = sqlx::query(
            "WITH counted AS (UPDATE recap.writer SET attempt = $2, seen_at = now() WHERE id = $1 RETURNING 1) \
             SELECT l.generation, EXISTS (SELECT FROM counted) AND NOT EXISTS ( \
               SELECT FROM UNNEST($3::uuid[], $4::bigint[]) AS k(id, attempt) \
               WHERE NOT EXISTS (SELECT FROM recap.writer w WHERE w.id = k.id AND w.attempt >= k.attempt)) \
             FROM recap.live l",
        )
        .bind(self.id)
        .bind(self.attempt)
        .bind(ids)
        .bind(attempts)
        .fetch_one(connection)
        .await?;
        let complete: bool = row.try_get(1)?;
        let live = GenerationId::new(row.try_get(0)?);
        Ok(complete.then_some(live))
    }

    /// The database confirmed the commit.
    pub fn confirm(&self) {
        self.sessions.state().confirmed.insert(self.id, self.attempt);
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.sessions.state().free.push((self.id, self.attempt));
    }
}

/// Also removes those of processes that are long gone.
async fn create(database: impl PgExecutor<'_>) -> Result<Uuid, sqlx::Error> {
    #[expect(
        clippy::disallowed_methods,
        reason = "an id of a writer; no row of the projection has it"
    )]
    let id = Uuid::new_v4();
    sqlx::query(
        "WITH old AS (DELETE FROM recap.writer WHERE seen_at < now() - interval '90 days') \
         INSERT INTO recap.writer (id, attempt) VALUES ($1, 0)",
    )
    .bind(id)
    .execute(database)
    .await?;
    Ok(id)
}
