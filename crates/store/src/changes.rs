//! The change feed: each process tells, through `NOTIFY`, which organizations its flushes touched.
//!
//! A flush is announced after its commit, so a process that dies between the two announces nothing. But its attempt is counted in the
//! transaction (`write::sessions`), and a listener compares: a ping is answered once every attempt that was committed before it was announced.

mod notifier;

use std::{collections::HashMap, time::Duration};

use sqlx::{
    PgConnection,
    postgres::{PgListener, PgPoolOptions},
};
use uuid::Uuid;

pub(crate) use self::notifier::Notifier;
use crate::{
    DatabaseUrl, GenerationId, LogPosition, OrgBuckets,
    connect::{Connector, SetUp},
    error::DatabaseError,
    lease::{BRIEF, within},
};

const CHANNEL: &str = "recap_changes";
/// What PostgreSQL calls the connection.
const APPLICATION: &str = "recap-changes";
/// How long connecting and listening may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Something the feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Rows of these organizations were committed.
    Organizations(OrgBuckets),
    /// Another generation is live.
    Generation(GenerationId),
    /// The ping of this number came back: everything committed before it was sent has been announced. A standby that has replayed the primary's log up to
    /// the position shows all of it.
    Ping(u64, LogPosition),
    /// A notification of a kind this release does not know; anything may have changed.
    Unknown,
}

/// Why the feed ended. What happens between this and a new connection is not announced.
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

/// A notification of a process: which organizations were touched by which attempts of its writers.
#[derive(Debug, PartialEq)]
struct Announcement {
    touched: OrgBuckets,
    attempts: Vec<(Uuid, i64)>,
}

impl Announcement {
    fn encode(&self) -> String {
        let attempts: Vec<String> = self
            .attempts
            .iter()
            .map(|(id, attempt)| format!("{}:{attempt}", id.simple()))
            .collect();
        format!("o{}|{}", self.touched.encode(), attempts.join(","))
    }

    /// Reads what follows the `o`; an older release announces no attempts.
    fn decode(text: &str) -> Option<Self> {
        let (touched, attempts) = text.split_once('|').unwrap_or((text, ""));
        let attempt = |text: &str| {
            let (id, attempt) = text.split_once(':')?;
            Some((id.parse().ok()?, attempt.parse().ok()?))
        };
        let attempts = attempts.split(',').filter(|text| !text.is_empty()).map(attempt);
        Some(Self {
            touched: OrgBuckets::decode(touched)?,
            attempts: attempts.collect::<Option<_>>()?,
        })
    }
}

/// A ping, and the attempts that have to be announced before it is answered.
#[derive(Debug)]
struct Ping {
    number: u64,
    position: LogPosition,
    attempts: Vec<(Uuid, i64)>,
}

/// A connection that hears every flush's changes. It must reach the primary, where flushes commit.
///
/// After an error it is of no more use: connect anew and distrust everything older.
pub struct ChangeListener {
    listener: PgListener,
    /// The attempts that were announced, or were there before this began to listen.
    announced: HashMap<Uuid, i64>,
    ping: Option<Ping>,
    lost: bool,
}

impl ChangeListener {
    /// Connects and listens; changes committed after this returns are announced.
    pub async fn connect(database_url: &DatabaseUrl) -> Result<Self, ListenError> {
        let connecting = async {
            let found = Connector::new(database_url, APPLICATION, SetUp::default())
                .find()
                .await?;
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .max_lifetime(None)
                .idle_timeout(None)
                .connect_with(found)
                .await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.ignore_pool_close_event(true);
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            let before = attempts(&mut listener).await?;
            Ok::<_, sqlx::Error>((listener, before))
        };
        let (listener, before) = within(CONNECT, connecting).await?;
        Ok(Self {
            listener,
            announced: before.into_iter().collect(),
            ping: None,
            lost: false,
        })
    }

    /// The next change. Nothing is lost when the future is dropped before it is ready.
    pub async fn next(&mut self) -> Result<Change, ListenError> {
        loop {
            if self.lost {
                return Err(ListenError::Lost);
            }
            if let Some(ping) = self.ping.take_if(|ping| is_announced(&self.announced, ping)) {
                return Ok(Change::Ping(ping.number, ping.position));
            }
            let received = self.listener.try_recv().await;
            self.lost = !matches!(received, Ok(Some(_)));
            let Some(notification) = received? else {
                return Err(ListenError::Lost);
            };
            if let Some(change) = self.read(notification.payload()) {
                return Ok(change);
            }
        }
    }

    /// Asks which flushes are committed. Once all of them were announced, this is [`Change::Ping`]: everything committed before has been
    /// heard. Another ping takes the place of one that is not answered yet.
    pub async fn ping(&mut self, number: u64) -> Result<(), ListenError> {
        if self.lost {
            return Err(ListenError::Lost);
        }
        let asking = async {
            let attempts = attempts(&mut self.listener).await?;
            let position = sqlx::query_scalar("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint")
                .fetch_one(&mut self.listener)
                .await?;
            Ok::<_, sqlx::Error>((attempts, LogPosition(position)))
        };
        let asked = within(BRIEF, asking).await;
        self.lost = asked.is_err();
        let (attempts, position) = asked?;
        self.ping = Some(Ping {
            number,
            position,
            attempts,
        });
        Ok(())
    }

    /// `None` for what touched nothing, and for the pings of an older release.
    fn read(&mut self, payload: &str) -> Option<Change> {
        let change = match payload.split_at_checked(1) {
            Some(("o", rest)) => Announcement::decode(rest).map(|announcement| {
                for (writer, attempt) in announcement.attempts {
                    let known = self.announced.entry(writer).or_default();
                    *known = attempt.max(*known);
                }
                Change::Organizations(announcement.touched)
            }),
            Some(("g", rest)) => rest.parse().ok().map(GenerationId::new).map(Change::Generation),
            Some(("p", _)) => return None,
            _ => None,
        };
        match change {
            Some(Change::Organizations(touched)) if touched.is_empty() => None,
            Some(change) => Some(change),
            None => Some(Change::Unknown),
        }
    }
}

fn is_announced(announced: &HashMap<Uuid, i64>, ping: &Ping) -> bool {
    let is_announced = |(writer, attempt): &(Uuid, i64)| announced.get(writer).is_some_and(|known| known >= attempt);
    ping.attempts.iter().all(is_announced)
}

/// The last attempt of each writer that is committed, and counts: one that wrote.
async fn attempts(listener: &mut PgListener) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    sqlx::query_as("SELECT id, attempt FROM recap.writer WHERE attempt > 0")
        .fetch_all(listener)
        .await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_read_as_it_was_written_and_so_is_an_older_one() {
        let mut touched = OrgBuckets::none();
        touched.insert("acme");
        for attempts in [
            vec![],
            vec![(Uuid::from_u128(7), 3), (Uuid::from_u128(u128::MAX), i64::MAX)],
        ] {
            let announcement = Announcement {
                touched: touched.clone(),
                attempts,
            };
            let text = announcement.encode();
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b":|,".contains(&byte)),
                "{text}"
            );
            assert_eq!(Announcement::decode(&text[1..]), Some(announcement));
        }
        assert_eq!(
            Announcement::decode(&touched.encode()),
            Some(Announcement {
                touched,
                attempts: vec![]
            })
        );
        assert_eq!(Announcement::decode("00|x:1"), None);
    }
}
