//! The planner's statistics of young tables. PostgreSQL gathers them by itself, but a minute after a table's birth at the earliest, and cached
//! plans are made anew only then: a service that connected to an empty database would keep plans for empty tables until then.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{GenerationId, Store};

/// Statistics are gathered when so many rows have been flushed, and again at each multiple of [`FACTOR`], up to [`LAST`]. Each time takes most of a second
/// of a large table, and PostgreSQL itself comes within a minute.
const FIRST: u64 = 500;
const FACTOR: u64 = 8;
const LAST: u64 = 50_000;

/// Every table whose rows the query service looks for.
const TABLES: [&str; 6] = [
    "conversation_summary",
    "tool_call",
    "feedback",
    "user_profile",
    "user_metadata_token",
    "agent_profile",
];

/// Rows that a process has flushed.
#[derive(Debug, Default)]
pub(crate) struct Flushed(AtomicU64);

impl Flushed {
    /// Counts rows; whether statistics are due.
    fn add(&self, rows: u64) -> bool {
        let before = self.0.fetch_add(rows, Ordering::Relaxed);
        let mut mark = FIRST;
        while mark <= before {
            mark *= FACTOR;
        }
        mark <= LAST && before + rows >= mark
    }
}

/// What gathers the statistics of a generation.
pub(crate) fn analyze(generation: GenerationId) -> String {
    let schema = generation.schema();
    let tables = TABLES.map(|table| format!("{schema}.{table}"));
    format!("ANALYZE {}", tables.join(", "))
}

impl Store {
    /// Counts flushed rows, and gathers statistics beside the flushes when the tables are young.
    pub(crate) fn count_flushed(&self, generation: GenerationId, rows: u64) {
        if !self.flushed().add(rows) {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.gather_statistics(generation).await {
                // PostgreSQL gathers them by itself a little later.
                tracing::debug!(error = &error as &dyn std::error::Error, "no statistics were gathered");
            }
        });
    }

    async fn gather_statistics(&self, generation: GenerationId) -> Result<(), sqlx::Error> {
        let (mut lease, watchdog) = self.watched_lease().await?;
        watchdog.over(gather(lease.get()?, generation)).await?;
        lease.give_back();
        Ok(())
    }
}

async fn gather(connection: &mut PgConnection, generation: GenerationId) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Whoever else is at the tables, a migration or an erasure, has better reasons.
    sqlx::raw_sql("SET LOCAL lock_timeout = '1s'")
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(analyze(generation)))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_gathered_ever_more_rarely_and_at_last_not_at_all() {
        let flushed = Flushed::default();
        let mut gathered = Vec::new();
        for batch in 1..=20_000 {
            if flushed.add(100) {
                gathered.push(batch * 100);
            }
        }
        assert_eq!(gathered, [500, 4_000, 32_000]);
        assert!(Flushed::default().add(10_000));
    }
}
