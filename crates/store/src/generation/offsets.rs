//! How far a generation is complete: per partition, the offset before which every event is in it.
//!
//! Kept for a generation that is being built (its last checkpoint), for the live one from a switch until
//! the rebuild has read past it, and for a kept one (where a rollback starts). The live generation
//! usually has none: then the consumer group's committed offsets say it.

use std::collections::HashSet;

use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::{
    Store,
    error::DatabaseError,
    generation_id::GenerationId,
    lease::{BRIEF, within},
};

/// A partition and the offset before which a generation is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationOffset {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first offset that may be missing.
    pub next_offset: i64,
    /// The topic's id, where the brokers have ids; `None` in checkpoints of release 0.1 too.
    pub topic_id: Option<Uuid>,
    /// How many offsets behind `next_offset` the live generation has read of topics of that name that are deleted by now. Zero in what is stored
    /// anew.
    pub gone: i64,
}

impl Store {
    /// The stored offsets of a generation, in order.
    pub async fn generation_offsets(&self, id: GenerationId) -> Result<Vec<GenerationOffset>, DatabaseError> {
        let mut lease = self.lease().await?;
        let rows = sqlx::query(
            "SELECT topic, partition, next_offset, topic_id, gone FROM recap.generation_offset WHERE generation = $1 \
         ORDER BY topic COLLATE \"C\", partition",
        )
        .bind(id.number())
        .fetch_all(lease.get()?);
        let rows = within(BRIEF, rows).await?;
        lease.give_back();
        rows.iter()
            .map(|row| {
                Ok(GenerationOffset {
                    topic: row.try_get(0)?,
                    partition: row.try_get(1)?,
                    next_offset: row.try_get(2)?,
                    topic_id: row.try_get(3)?,
                    gone: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Replaces the stored offsets of a generation: a checkpoint.
    pub async fn save_generation_offsets(
        &self,
        id: GenerationId,
        offsets: &[GenerationOffset],
    ) -> Result<(), DatabaseError> {
        let mut lease = self.lease().await?;
        let storing = async {
            let mut transaction = lease.get()?.begin().await?;
            store(&mut transaction, id, offsets).await?;
            transaction.commit().await
        };
        within(BRIEF, storing).await?;
        lease.give_back();
        Ok(())
    }

    /// Moves the stored offsets of some partitions of a generation forward, beside other processes that fill others: what one of them has written stays
    /// written, so of two offsets of the same topic the greater counts.
    pub async fn advance_generation_offsets(
        &self,
        id: GenerationId,
        offsets: &[GenerationOffset],
    ) -> Result<(), DatabaseError> {
        let mut lease = self.lease().await?;
        let advancing = insert(
            "INSERT INTO recap.generation_offset AS kept (generation, topic, partition, next_offset, topic_id) \
             SELECT $1, * FROM UNNEST($2::text[], $3::integer[], $4::bigint[], $5::uuid[]) AS o (topic, partition) ORDER BY topic COLLATE \"C\", partition \
             ON CONFLICT (generation, topic, partition) DO UPDATE SET topic_id = excluded.topic_id, gone = 0, \
             next_offset = CASE WHEN kept.topic_id IS NOT DISTINCT FROM excluded.topic_id \
                 THEN greatest(kept.next_offset, excluded.next_offset) ELSE excluded.next_offset END",
            lease.get()?,
            id,
            offsets,
        );
        within(BRIEF, advancing).await?;
        lease.give_back();
        Ok(())
    }

    /// Forgets the stored offsets of the live generation: from here on the consumer group's say how far it is complete.
    pub async fn clear_generation_offsets(&self, id: GenerationId) -> Result<(), DatabaseError> {
        self.save_generation_offsets(id, &[]).await
    }
}

pub(super) async fn store(
    connection: &mut PgConnection,
    id: GenerationId,
    offsets: &[GenerationOffset],
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM recap.generation_offset WHERE generation = $1")
        .bind(id.number())
        .execute(&mut *connection)
        .await?;
    let distinct: HashSet<_> = offsets.iter().map(|o| (&o.topic, o.partition)).collect();
    debug_assert_eq!(distinct.len(), offsets.len(), "one position a partition");
    insert(
        "INSERT INTO recap.generation_offset (generation, topic, partition, next_offset, topic_id) \
         SELECT $1, * FROM UNNEST($2::text[], $3::integer[], $4::bigint[], $5::uuid[])",
        connection,
        id,
        offsets,
    )
    .await
}

async fn insert(
    statement: &'static str,
    connection: &mut PgConnection,
    id: GenerationId,
    offsets: &[GenerationOffset],
) -> Result<(), sqlx::Error> {
    let topics: Vec<&str> = offsets.iter().map(|o| o.topic.as_str()).collect();
    let partitions: Vec<i32> = offsets.iter().map(|o| o.partition).collect();
    let next: Vec<i64> = offsets.iter().map(|o| o.next_offset).collect();
    let ids: Vec<Option<Uuid>> = offsets.iter().map(|o| o.topic_id).collect();
    sqlx::query(statement)
        .bind(id.number())
        .bind(topics)
        .bind(partitions)
        .bind(next)
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(())
}
