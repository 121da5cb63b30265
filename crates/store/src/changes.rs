//! The change feed: each flush tells, through `NOTIFY`, which organizations it touched.

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    PgConnection,
    postgres::{PgListener, PgPoolOptions},
};
use uuid::Uuid;

use crate::{GenerationId, OrgBuckets, error::DatabaseError};

const CHANNEL: &str = "recap_changes";

/// Something the feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Rows of these organizations were committed.
    Organizations(OrgBuckets),
    /// Another generation is live.
    Generation(GenerationId),
    /// The ping of this number came back: everything committed before it was sent has been told.
    Ping(u64),
    /// A notification of a kind this release does not know; anything may have changed.
    Unknown,
}

/// Why the feed ended. What happens between this and a new connection is not told.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The connection was lost.
    #[error("the connection of the change feed was lost")]
    Lost,
    /// The database failed.
    #[error("the change feed failed: {0}")]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for ListenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A connection that hears every flush's changes. It must reach the primary, where flushes commit.
///
/// After an error it is of no more use: connect anew and distrust everything older.
pub struct ChangeListener {
    listener: PgListener,
    id: Uuid,
    lost: bool,
}

impl ChangeListener {
    /// Connects and listens; changes committed after this returns are told.
    pub async fn connect(database_url: &SecretString) -> Result<Self, ListenError> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect(database_url.expose_secret())
            .await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        #[expect(clippy::disallowed_methods, reason = "an id of a listener; no row has it")]
        let id = Uuid::new_v4();
        Ok(Self {
            listener,
            id,
            lost: false,
        })
    }

    /// The next change. Nothing is lost when the future is dropped before it is ready.
    pub async fn next(&mut self) -> Result<Change, ListenError> {
        loop {
            if self.lost {
                return Err(ListenError::Lost);
            }
            let received = self.listener.try_recv().await;
            self.lost = !matches!(received, Ok(Some(_)));
            let Some(notification) = received? else {
                return Err(ListenError::Lost);
            };
            if let Some(change) = self.parse(notification.payload()) {
                return Ok(change);
            }
        }
    }

    /// Sends a ping through the feed. Notifications come in the order of their commits, so its
    /// return as [`Change::Ping`] proves that everything committed before has been heard.
    pub async fn ping(&mut self, number: u64) -> Result<(), ListenError> {
        if self.lost {
            return Err(ListenError::Lost);
        }
        let payload = format!("p{}:{number}", self.id.simple());
        let sent = notify(&mut self.listener, &payload).await;
        self.lost = sent.is_err();
        Ok(sent?)
    }

    /// `None` for the pings of others.
    fn parse(&self, payload: &str) -> Option<Change> {
        let change = match payload.split_at_checked(1) {
            Some(("o", rest)) => OrgBuckets::decode(rest).map(Change::Organizations),
            Some(("g", rest)) => rest.parse().ok().map(GenerationId::new).map(Change::Generation),
            Some(("p", rest)) => {
                let (id, number) = rest.split_once(':')?;
                if id != self.id.simple().to_string() {
                    return None;
                }
                number.parse().ok().map(Change::Ping)
            }
            _ => None,
        };
        Some(change.unwrap_or(Change::Unknown))
    }
}

pub(crate) async fn notify_organizations(
    connection: &mut PgConnection,
    organizations: &OrgBuckets,
) -> Result<(), sqlx::Error> {
    notify(connection, &format!("o{}", organizations.encode())).await
}

pub(crate) async fn notify_generation(connection: &mut PgConnection, live: GenerationId) -> Result<(), sqlx::Error> {
    notify(connection, &format!("g{live}")).await
}

async fn notify<'e>(executor: impl sqlx::PgExecutor<'e>, payload: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(payload)
        .execute(executor)
        .await?;
    Ok(())
}
