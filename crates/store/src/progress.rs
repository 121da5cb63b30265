//! How far the projection is complete, kept beside its rows: of each partition the offset before which everything is in them.

use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    Store,
    error::DatabaseError,
    lease::{BRIEF, within},
    sql::sql,
    write::sessions::Confirmed,
};

/// What the database holds of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectedOffset {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The topic's id, where the brokers have ids: a topic that was deleted and created anew is another one.
    pub topic_id: Option<Uuid>,
    /// Everything before it is in the rows.
    pub next_offset: i64,
}

/// How far a partition became complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Where it is complete to.
    pub to: ProjectedOffset,
    /// Where it was complete to when the database was asked or told last.
    pub from: i64,
}

/// What the database holds of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Of each partition that it knows.
    pub offsets: Vec<ProjectedOffset>,
    /// Of others it holds what the consumer group has committed: it was filled by a release that kept no offsets here.
    pub adopts_group_offsets: bool,
}

/// Why offsets were not kept.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// The database is back at an earlier state.
    #[error("the database lacks what it had confirmed: a standby was promoted, or a backup restored")]
    CommitsLost,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for ProgressError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Rows that fit what is asked, one a partition.
const FITS: &str = "o.topic = k.topic AND o.partition = k.partition AND o.topic_id IS NOT DISTINCT FROM k.topic_id \
                    AND o.next_offset >= k.base";
/// Sessions whose last confirmed attempt is not there.
const LOST: &str = "SELECT FROM UNNEST($1::uuid[], $2::bigint[]) AS s(id, attempt) \
                    WHERE NOT EXISTS (SELECT FROM recap.writer w WHERE w.id = s.id AND w.attempt >= s.attempt)";
const ASKED: &str = "UNNEST($3::text[], $4::integer[], $5::uuid[], $6::bigint[], $7::bigint[]) \
                     AS k(topic, partition, topic_id, base, next_offset)";

impl Store {
    /// What the database holds of the log.
    pub async fn holdings(&self) -> Result<Holdings, DatabaseError> {
        let mut lease = self.lease().await?;
        let rows = sqlx::query(
            "SELECT l.adopts_group_offsets, o.topic, o.partition, o.topic_id, o.next_offset \
             FROM recap.live l LEFT JOIN recap.projected_offset o ON true ORDER BY o.topic COLLATE \"C\", o.partition",
        )
        .fetch_all(lease.get()?);
        let rows = within(BRIEF, rows).await?;
        lease.give_back();
        let mut holdings = Holdings {
            offsets: Vec::new(),
            adopts_group_offsets: false,
        };
        for row in rows {
            holdings.adopts_group_offsets = row.try_get(0)?;
            if let Some(topic) = row.try_get(1)? {
                holdings.offsets.push(ProjectedOffset {
                    topic,
                    partition: row.try_get(2)?,
                    topic_id: row.try_get(3)?,
                    next_offset: row.try_get(4)?,
                });
            }
        }
        Ok(holdings)
    }

    /// Says anew how far these partitions are complete, whatever was kept before. Of a topic that is another one now, the checkpoints of other generations
    /// learn how much was read of the one before, since nobody can read that again.
    pub async fn set_projected_offsets(&self, offsets: &[ProjectedOffset]) -> Result<(), DatabaseError> {
        let topics: Vec<&str> = offsets.iter().map(|o| o.topic.as_str()).collect();
        let partitions: Vec<i32> = offsets.iter().map(|o| o.partition).collect();
        let ids: Vec<Option<Uuid>> = offsets.iter().map(|o| o.topic_id).collect();
        let next: Vec<i64> = offsets.iter().map(|o| o.next_offset).collect();
        let mut lease = self.lease().await?;
        let set = sqlx::query(
            "WITH k AS (SELECT * FROM UNNEST($1::text[], $2::integer[], $3::uuid[], $4::bigint[]) \
               AS k(topic, partition, topic_id, next_offset)), \
             ended AS (UPDATE recap.generation_offset g SET gone = g.gone + CASE WHEN g.topic_id = o.topic_id \
               THEN GREATEST(o.next_offset - g.next_offset, 0) ELSE o.next_offset END \
               FROM recap.projected_offset o JOIN k ON o.topic = k.topic AND o.partition = k.partition \
               WHERE o.topic_id <> k.topic_id AND g.topic_id IS NOT NULL \
               AND g.topic = o.topic AND g.partition = o.partition) \
             INSERT INTO recap.projected_offset (topic, partition, topic_id, next_offset) SELECT * FROM k \
             ON CONFLICT (topic, partition) DO UPDATE SET topic_id = EXCLUDED.topic_id, next_offset = EXCLUDED.next_offset",
        )
        .bind(topics)
        .bind(partitions)
        .bind(ids)
        .bind(next)
        .execute(lease.get()?);
        within(BRIEF, set).await?;
        lease.give_back();
        Ok(())
    }

    /// Keeps how far partitions became complete, in one statement. Nothing moves when a flush of this process is gone from the database, and no
    /// partition of which the database holds less than it should.
    pub async fn advance_projected_offsets(&self, advances: &[Advance]) -> Result<(), ProgressError> {
        let statement = format!(
            "WITH moved AS (UPDATE recap.projected_offset o SET next_offset = GREATEST(o.next_offset, k.next_offset) \
               FROM {ASKED} WHERE {FITS} AND NOT EXISTS ({LOST}) RETURNING 1) \
             SELECT count(*) FROM moved"
        );
        self.ask(statement, advances).await
    }

    /// Whether the database still holds what it confirmed.
    pub async fn check_projected_offsets(&self, held: &[ProjectedOffset]) -> Result<(), ProgressError> {
        let held: Vec<Advance> = held
            .iter()
            .map(|to| Advance {
                from: to.next_offset,
                to: to.clone(),
            })
            .collect();
        let statement =
            format!("SELECT count(*) FROM recap.projected_offset o, {ASKED} WHERE {FITS} AND NOT EXISTS ({LOST})");
        self.ask(statement, &held).await
    }

    async fn ask(&self, statement: String, advances: &[Advance]) -> Result<(), ProgressError> {
        let mut lease = self.flushing().lease().await?;
        let Confirmed { ids, attempts } = self.sessions().confirmed();
        let topics: Vec<&str> = advances.iter().map(|a| a.to.topic.as_str()).collect();
        let partitions: Vec<i32> = advances.iter().map(|a| a.to.partition).collect();
        let topic_ids: Vec<Option<Uuid>> = advances.iter().map(|a| a.to.topic_id).collect();
        let from: Vec<i64> = advances.iter().map(|a| a.from).collect();
        let next: Vec<i64> = advances.iter().map(|a| a.to.next_offset).collect();
        let counting = sqlx::query_scalar(sql(statement))
            .bind(ids)
            .bind(attempts)
            .bind(topics)
            .bind(partitions)
            .bind(topic_ids)
            .bind(from)
            .bind(next)
            .fetch_one(lease.get()?);
        let fitting: i64 = within(BRIEF, counting).await?;
        lease.give_back();
        if usize::try_from(fitting) == Ok(advances.len()) {
            Ok(())
        } else {
            Err(ProgressError::CommitsLost)
        }
    }

    /// Forgets what the database had confirmed, when all that rested on it is dropped.
    pub fn begin_anew(&self) {
        self.sessions().clear();
    }
}
