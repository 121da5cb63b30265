//! A pool's connection in the middle of a transaction, and what becomes of it when nobody wants the answer any more.

use std::{any::Any, time::Duration};

use sqlx::{PgConnection, Postgres, pool::PoolConnection};
use tokio::runtime::Handle;

/// How long a statement may go on that nobody waits for. Most end sooner, and their connection need not be made anew.
const UNWANTED: Duration = Duration::from_millis(500);

/// A connection that is given back only outside its transaction: dropped inside it, the transaction is ended first, or, when that takes too
/// long, the connection is closed and the server cancels the statement.
pub(super) struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    /// What is given back with it.
    turn: Option<Box<dyn Any + Send>>,
}

impl Lent {
    pub(super) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self {
            connection: Some(connection),
            turn: None,
        }
    }

    pub(super) fn get(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Keeps something for as long as the connection is not given back.
    pub(super) fn keep(&mut self, turn: impl Any + Send) {
        self.turn = Some(Box::new(turn));
    }

    /// Gives the connection back: its transaction has ended.
    pub(super) fn give_back(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let turn = self.turn.take();
        let Ok(runtime) = Handle::try_current() else {
            connection.close_on_drop();
            return;
        };
        runtime.spawn(async move {
            // What is left of an answer is read and dropped before.
            let ended = tokio::time::timeout(UNWANTED, sqlx::raw_sql("ROLLBACK").execute(&mut *connection)).await;
            if !matches!(ended, Ok(Ok(_))) {
                connection.close_on_drop();
            }
            drop((connection, turn));
        });
    }
}
