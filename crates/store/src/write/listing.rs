//! Conversations that are quiet are listed again.
//!
//! Quiet is one that has the revision it had at the look before: no clock says so, neither the database's nor a process's, and after a crash whoever
//! looks twice goes on. The row is locked, compared once more and brought level with itself; its revision stays, so writers need not know.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::{PgConnection, Row as _};
use xxhash_rust::xxh3::xxh3_128;

use super::prepared::MAX_LISTED_BYTES;
use crate::{
    GenerationId, Store, columns::COPIES, error::DatabaseError, lease::within, placement::Placement, sql::sql,
};

/// One process at a time looks; the value is arbitrary and must never change.
const LOCK: i64 = 0x7265_6361_706c_6973;
/// Rows looked at in one statement.
const LOOK: i64 = 10_000;
/// Rows listed in one statement: writers of theirs wait as long.
const LIST: usize = 250;
/// What is remembered between two looks, 32 bytes each; of more than that what was not seen before is listed at once.
const REMEMBERED: usize = 500_000;

/// What was seen at the last look.
#[derive(Debug, Default)]
pub struct Looks {
    revisions: HashMap<u128, i64>,
}

/// What a look has found and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Conversations that are busy.
    pub busy: usize,
    /// Conversations that were quiet, and are listed now.
    pub listed: usize,
}

/// A busy conversation.
struct Found {
    org_id: String,
    conversation_id: String,
    revision: i64,
}

impl Found {
    fn key(&self) -> u128 {
        xxh3_128(&[self.org_id.as_bytes(), &[0], self.conversation_id.as_bytes()].concat())
    }
}

impl Store {
    /// Lists the conversations of a generation to which nothing was written since the look before. `None` when another process is at it: then busy ones are
    /// counted, no more.
    pub async fn list_quiet(
        &self,
        generation: GenerationId,
        looks: &mut Looks,
    ) -> Result<Option<Listed>, DatabaseError> {
        let mut lease = self.flushing().lease().await?;
        let schema = generation.schema();
        let looking = within(self.answer_timeout(), look(lease.get()?, &schema)).await?;
        let Some(found) = looking else {
            let counts = within(self.answer_timeout(), count(lease.get()?, &schema)).await?;
            lease.give_back();
            self.busy().counted(&counts);
            return Ok(None);
        };
        let mut counts: HashMap<Arc<str>, u32> = HashMap::new();
        let mut names: HashSet<Arc<str>> = HashSet::new();
        let mut quiet = Vec::new();
        let mut revisions = HashMap::with_capacity(found.len().min(REMEMBERED));
        for row in &found {
            let key = row.key();
            let is_quiet = looks.revisions.get(&key) == Some(&row.revision);
            if is_quiet || revisions.len() >= REMEMBERED {
                quiet.push(row);
                continue;
            }
            revisions.insert(key, row.revision);
            let name = names.get(row.org_id.as_str()).cloned().unwrap_or_else(|| {
                let name: Arc<str> = Arc::from(row.org_id.as_str());
                names.insert(Arc::clone(&name));
                name
            });
            *counts.entry(name).or_default() += 1;
        }
        looks.revisions = revisions;
        let mut listed = 0;
        let placement = self.flushing().placement();
        for chunk in quiet.chunks(LIST) {
            for rows in placement.statements(chunk, |row| &row.org_id) {
                let listing = list(lease.get()?, placement, &schema, rows);
                listed += within(self.answer_timeout(), listing).await?;
            }
        }
        within(self.answer_timeout(), unlock(lease.get()?)).await?;
        lease.give_back();
        self.busy().counted(&counts);
        Ok(Some(Listed {
            busy: found.len() - listed,
            listed,
        }))
    }
}

/// All busy conversations, with the lock held; `None` when somebody else holds it.
async fn look(connection: &mut PgConnection, schema: &str) -> Result<Option<Vec<Found>>, sqlx::Error> {
    let is_ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut *connection)
        .await?;
    if !is_ours {
        return Ok(None);
    }
    let fits = |column: &str| format!("coalesce(octet_length(c.{column}), 0) <= {MAX_LISTED_BYTES}");
    // What does not fit into an index is never listed.
    let statement = format!(
        "SELECT c.org_id, c.conversation_id, c.revision FROM {schema}.conversation_summary c \
         WHERE c.deleted_at IS NULL AND c.listed_recency IS NULL AND {} AND {} \
         AND (c.org_id, c.conversation_id) > ($1, $2) ORDER BY c.org_id, c.conversation_id LIMIT $3",
        fits("agent_model"),
        fits("last_finish_reason"),
    );
    let mut found: Vec<Found> = Vec::new();
    loop {
        let after = found.last().map_or(("", ""), |row| (&row.org_id, &row.conversation_id));
        let rows = sqlx::query(sql(statement.clone()))
            .bind(after.0)
            .bind(after.1)
            .bind(LOOK)
            .fetch_all(&mut *connection)
            .await?;
        for row in &rows {
            found.push(Found {
                org_id: row.try_get(0)?,
                conversation_id: row.try_get(1)?,
                revision: row.try_get(2)?,
            });
        }
        if i64::try_from(rows.len()).is_ok_and(|count| count < LOOK) {
            return Ok(Some(found));
        }
    }
}

/// How many conversations are busy, by organization.
async fn count(connection: &mut PgConnection, schema: &str) -> Result<HashMap<Arc<str>, u32>, sqlx::Error> {
    let statement = format!(
        "SELECT org_id, count(*) FROM {schema}.conversation_summary WHERE deleted_at IS NULL AND listed_recency IS NULL GROUP BY org_id"
    );
    let counted: Vec<(String, i64)> = sqlx::query_as(sql(statement)).fetch_all(connection).await?;
    let counts = counted
        .into_iter()
        .map(|(org_id, count)| (org_id.into(), u32::try_from(count).unwrap_or(u32::MAX)));
    Ok(counts.collect())
}

/// Brings these level with themselves, if they are still what they were. One that a writer holds is left for another time. On a cluster all are of
/// one organization.
async fn list(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    quiet: &[&Found],
) -> Result<usize, sqlx::Error> {
    let only = placement.only("c.org_id", 4);
    let level = COPIES.map(|(copy, column)| format!("{copy} = c.{column}")).join(", ");
    let statement = format!(
        "WITH quiet AS MATERIALIZED (SELECT q.org_id, q.conversation_id \
           FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS q(org_id, conversation_id, revision) \
           CROSS JOIN LATERAL (SELECT FROM {schema}.conversation_summary c \
             WHERE c.org_id = q.org_id AND c.conversation_id = q.conversation_id AND c.revision = q.revision{only} \
             AND c.listed_recency IS NULL FOR UPDATE SKIP LOCKED) c) \
         UPDATE {schema}.conversation_summary c SET {level} FROM quiet q \
         WHERE c.org_id = q.org_id AND c.conversation_id = q.conversation_id{only}"
    );
    let mut query = sqlx::query(sql(statement))
        .bind(quiet.iter().map(|row| row.org_id.as_str()).collect::<Vec<_>>())
        .bind(quiet.iter().map(|row| row.conversation_id.as_str()).collect::<Vec<_>>())
        .bind(quiet.iter().map(|row| row.revision).collect::<Vec<_>>());
    if placement == Placement::Cluster {
        query = query.bind(quiet.first().map(|row| row.org_id.as_str()));
    }
    let done = query.execute(connection).await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

async fn unlock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_unlock($1)")
        .bind(LOCK)
        .execute(connection)
        .await?;
    Ok(())
}
