//! The change feed: each flush tells, through `NOTIFY`, which organizations it touched.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    PgConnection,
    postgres::{PgListener, PgPoolOptions},
};
use uuid::Uuid;

use crate::{bytes, generation::GenerationId};

const CHANNEL: &str = "recap_changes";
const WORDS: usize = OrgBuckets::COUNT / 64;

/// A set of organizations, hashed into 4,096 buckets: a superset of what was put in. Small enough
/// for one notification, and it names nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct OrgBuckets(Box<[u64; WORDS]>);

impl OrgBuckets {
    /// How many buckets there are.
    pub const COUNT: usize = 4096;

    /// No organization.
    #[must_use]
    pub fn none() -> Self {
        Self(Box::new([0; WORDS]))
    }

    /// The bucket of an organization, below [`Self::COUNT`]; the same in every process and release.
    #[must_use]
    pub fn bucket_of(org_id: &str) -> usize {
        let hash = blake3::hash(org_id.as_bytes());
        let bytes = hash.as_bytes();
        usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) % Self::COUNT
    }

    /// Adds an organization.
    pub fn insert(&mut self, org_id: &str) {
        let bucket = Self::bucket_of(org_id);
        self.0[bucket / 64] |= 1 << (bucket % 64);
    }

    /// Whether the organization may be among them.
    #[must_use]
    pub fn may_contain(&self, org_id: &str) -> bool {
        let bucket = Self::bucket_of(org_id);
        self.0[bucket / 64] & (1 << (bucket % 64)) != 0
    }

    /// Whether none was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The buckets, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..Self::COUNT).filter(|bucket| self.0[bucket / 64] & (1 << (bucket % 64)) != 0)
    }

    fn encode(&self) -> String {
        let raw: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes::to_hex(&raw)
    }

    fn decode(text: &str) -> Option<Self> {
        let raw = bytes::from_hex(text)?;
        let (words, []) = raw.as_chunks::<8>() else {
            return None;
        };
        let mut buckets = Self::none();
        if words.len() != WORDS {
            return None;
        }
        for (word, raw) in buckets.0.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*raw);
        }
        Some(buckets)
    }
}

impl fmt::Debug for OrgBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

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
    Database(#[from] sqlx::Error),
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
        Ok(Self {
            listener,
            id: Uuid::new_v4(),
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

#[cfg(test)]
mod tests {
    use super::OrgBuckets;

    #[test]
    fn what_was_inserted_survives_the_wire() {
        let mut buckets = OrgBuckets::none();
        assert!(buckets.is_empty());
        buckets.insert("org_acme");
        buckets.insert("org_globex");
        let decoded = OrgBuckets::decode(&buckets.encode());
        assert_eq!(decoded, Some(buckets.clone()));
        assert!(buckets.may_contain("org_acme"));
        assert_eq!(buckets.iter().count(), 2);
    }

    #[test]
    fn garbage_is_not_a_set() {
        assert_eq!(OrgBuckets::decode("zz"), None);
        assert_eq!(OrgBuckets::decode("00"), None);
    }
}
