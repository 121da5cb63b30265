//! Shares of a generation that several processes fill at once: who has which, and which are filled.
//!
//! They divide the work and nothing rests on them. Two processes that fill the same share write the same rows twice, which merging makes once, and how
//! far a generation is complete is said by its offsets alone.

use std::time::Duration;

use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    Store,
    error::DatabaseError,
    generation_id::GenerationId,
    lease::{BRIEF, within},
};

/// A share that a process has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which, from 0 on.
    pub number: i32,
    /// Of how many.
    pub of: i32,
    /// Whether an archive has still to be replayed, before the log.
    pub archive_pending: bool,
    holder: Uuid,
}

/// All shares of a generation together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// How many there are.
    pub all: u32,
    /// How many are filled.
    pub filled: u32,
    /// How many of the others have a holder that was heard of lately.
    pub held: u32,
    /// Records read for them so far.
    pub records: u64,
    /// Events that were folded of those.
    pub events: u64,
}

impl Share {
    /// How often a holder has to be heard of.
    pub const HEARTBEAT: Duration = Duration::from_secs(3);
    /// How long after it was last heard of a share is there to be taken. Longer than a process that is stopped can hold its rows: its transactions end
    /// after ten seconds (`store.rs`).
    pub const LEASE: Duration = Duration::from_secs(15);

    /// Whether a partition of that number belongs to it.
    #[must_use]
    pub const fn has(&self, partition: i32) -> bool {
        partition.rem_euclid(self.of) == self.number
    }
}

impl Store {
    /// Divides what a generation being built is filled with into so many shares, unless it is divided already.
    pub async fn share_out(&self, id: GenerationId, of: i32, archive_pending: bool) -> Result<(), DatabaseError> {
        let mut lease = self.lease().await?;
        let sharing = sqlx::query(
            "INSERT INTO recap.rebuild_share (generation, share, of, archive_pending) SELECT $1, share, $2, $3 FROM generate_series(0, $2 - 1) share \
             WHERE NOT EXISTS (SELECT FROM recap.rebuild_share WHERE generation = $1)",
        )
        .bind(id.number())
        .bind(of)
        .bind(archive_pending)
        .execute(lease.get()?);
        within(BRIEF, sharing).await?;
        lease.give_back();
        Ok(())
    }

    /// Takes a share that is not filled and that nobody holds; `None` when there is none.
    pub async fn take_share(&self, id: GenerationId) -> Result<Option<Share>, DatabaseError> {
        let mut lease = self.lease().await?;
        let taking = sqlx::query(
            "UPDATE recap.rebuild_share SET holder = gen_random_uuid(), heard_of_at = clock_timestamp() \
             WHERE generation = $1 AND share = (SELECT share FROM recap.rebuild_share WHERE generation = $1 AND NOT filled \
                 AND (holder IS NULL OR heard_of_at < clock_timestamp() - make_interval(secs => $2)) \
                 ORDER BY heard_of_at NULLS FIRST, share LIMIT 1 FOR UPDATE SKIP LOCKED) \
             RETURNING share, of, archive_pending, holder",
        )
        .bind(id.number())
        .bind(Share::LEASE.as_secs_f64())
        .fetch_optional(lease.get()?);
        let taken = within(BRIEF, taking).await?;
        lease.give_back();
        let share = |row: sqlx::postgres::PgRow| {
            Ok::<_, sqlx::Error>(Share {
                number: row.try_get(0)?,
                of: row.try_get(1)?,
                archive_pending: row.try_get(2)?,
                holder: row.try_get(3)?,
            })
        };
        Ok(taken.map(share).transpose()?)
    }

    /// Says that a share's holder is at work, and has read so much more. `false` when another has taken the share.
    pub async fn hold_share(
        &self,
        id: GenerationId,
        share: &Share,
        (records, events): (u64, u64),
    ) -> Result<bool, DatabaseError> {
        let held = "UPDATE recap.rebuild_share SET heard_of_at = clock_timestamp(), records = records + $4, events = events + $5 \
                    WHERE generation = $1 AND share = $2 AND holder = $3";
        self.change_share(held, id, share, (records, events)).await
    }

    /// Says that the archive is in a share, whoever holds it by now.
    pub async fn archive_is_in_share(&self, id: GenerationId, share: &Share) -> Result<bool, DatabaseError> {
        let replayed = "UPDATE recap.rebuild_share SET archive_pending = false, records = records + $4, events = events + $5 \
                        WHERE generation = $1 AND share = $2 AND $3::uuid IS NOT NULL";
        self.change_share(replayed, id, share, (0, 0)).await
    }

    /// Says that a share is filled, whoever holds it by now.
    pub async fn finish_share(
        &self,
        id: GenerationId,
        share: &Share,
        (records, events): (u64, u64),
    ) -> Result<bool, DatabaseError> {
        let filled = "UPDATE recap.rebuild_share SET filled = true, records = records + $4, events = events + $5 \
                      WHERE generation = $1 AND share = $2 AND $3::uuid IS NOT NULL";
        self.change_share(filled, id, share, (records, events)).await
    }

    /// Gives a share back that is not filled, so that nobody has to wait for it.
    pub async fn leave_share(&self, id: GenerationId, share: &Share) -> Result<bool, DatabaseError> {
        let left = "UPDATE recap.rebuild_share SET holder = NULL, records = records + $4, events = events + $5 \
                    WHERE generation = $1 AND share = $2 AND holder = $3";
        self.change_share(left, id, share, (0, 0)).await
    }

    async fn change_share(
        &self,
        statement: &'static str,
        id: GenerationId,
        share: &Share,
        (records, events): (u64, u64),
    ) -> Result<bool, DatabaseError> {
        let mut lease = self.lease().await?;
        let changing = sqlx::query(statement)
            .bind(id.number())
            .bind(share.number)
            .bind(share.holder)
            .bind(i64::try_from(records).unwrap_or(i64::MAX))
            .bind(i64::try_from(events).unwrap_or(i64::MAX))
            .execute(lease.get()?);
        let changed = within(BRIEF, changing).await?;
        lease.give_back();
        Ok(changed.rows_affected() == 1)
    }

    /// How the shares of a generation get on; without any it is filled by one process, or by none.
    pub async fn shares(&self, id: GenerationId) -> Result<Shares, DatabaseError> {
        let mut lease = self.lease().await?;
        let counting = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE filled), \
             count(*) FILTER (WHERE NOT filled AND holder IS NOT NULL AND heard_of_at >= clock_timestamp() - make_interval(secs => $2)), \
             coalesce(sum(records), 0)::bigint, coalesce(sum(events), 0)::bigint FROM recap.rebuild_share WHERE generation = $1",
        )
        .bind(id.number())
        .bind(Share::LEASE.as_secs_f64())
        .fetch_one(lease.get()?);
        let (all, filled, held, records, events): (i64, i64, i64, i64, i64) = within(BRIEF, counting).await?;
        lease.give_back();
        let few = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Shares {
            all: few(all),
            filled: few(filled),
            held: few(held),
            records: records.unsigned_abs(),
            events: events.unsigned_abs(),
        })
    }

    /// Forgets the shares of a generation: one process goes on with it.
    pub async fn forget_shares(&self, id: GenerationId) -> Result<(), DatabaseError> {
        let mut lease = self.lease().await?;
        let forgetting = sqlx::query("DELETE FROM recap.rebuild_share WHERE generation = $1")
            .bind(id.number())
            .execute(lease.get()?);
        within(BRIEF, forgetting).await?;
        lease.give_back();
        Ok(())
    }
}
