//! A pool's connection in the middle of a transaction, and what becomes of it when nobody wants the answer any more.

use std::{any::Any, time::Duration};

use sqlx::PgConnection;
use tokio::runtime::Handle;

use crate::lease::Lease;

/// How long a statement may go on that nobody waits for. Most end sooner, and their connection need not be made anew.
const UNWANTED: Duration = Duration::from_millis(500);

/// A connection that is given back only outside its transaction: dropped inside it, the transaction is ended first, or, when that takes too
/// long, the connection is closed and the server cancels the statement.
pub(super) struct Lent {
    connection: Option<Lease>,
    /// What is given back with it.
    turn: Option<Box<dyn Any + Send>>,
}

impl Lent {
    pub(super) fn new(connection: Lease) -> Self {
        Self {
            connection: Some(connection),
            turn: None,
        }
    }

    pub(super) fn get(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?.get()
    }

    /// Keeps something for as long as the connection is not given back.
    pub(super) fn keep(&mut self, turn: impl Any + Send) {
        self.turn = Some(Box::new(turn));
    }

    /// Gives the connection back: its transaction has ended.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let turn = self.turn.take();
        // Without a runtime, and when it does not end soon, the connection is cut.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            let ending = async { sqlx::raw_sql("ROLLBACK").execute(connection.get()?).await };
            // What is left of an answer is read and dropped before.
            if let Ok(Ok(_)) = tokio::time::timeout(UNWANTED, ending).await {
                connection.give_back();
            }
            drop(turn);
        });
    }
}
