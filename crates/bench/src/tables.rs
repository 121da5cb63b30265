//! What PostgreSQL counts of recap's tables: rows, dead rows, heap-only updates, vacuums, sizes, and the write-ahead log.

use std::collections::BTreeMap;

use serde::Serialize;

use super::stack::{Database, float};

/// Where the conversations are, whose updates should be heap-only.
const CONVERSATIONS: &str = "conversation_summary";

/// All of it at one moment. Counters of rows lag behind by up to ten seconds, which is how long a session keeps its own.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Bytes of write-ahead log since the server was made.
    pub wal: f64,
    /// By name, those of the generation and of the control schema.
    pub tables: BTreeMap<String, Table>,
}

/// One table.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Table {
    pub live_rows: i64,
    pub dead_rows: i64,
    pub inserted: i64,
    pub updated: i64,
    pub heap_only_updated: i64,
    pub autovacuums: i64,
    /// With TOAST and the maps of free and visible space.
    pub heap_bytes: i64,
    pub index_bytes: i64,
}

/// What an event costs, and how many updates of conversations were heap-only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wal_per_event: f64,
    pub heap_per_event: f64,
    pub index_per_event: f64,
    /// 1 where there were no updates.
    pub heap_only: f64,
}

impl Tables {
    /// A database that has one generation.
    pub async fn of(database: &Database) -> anyhow::Result<Self> {
        type Counted = (String, i64, i64, i64, i64, i64, i64, i64, i64);
        let mut connection = database.connect().await?;
        let counted: Vec<Counted> = sqlx::query_as(
            "SELECT relname::text, n_live_tup, n_dead_tup, n_tup_ins, n_tup_upd, n_tup_hot_upd, autovacuum_count, \
             pg_table_size(relid), pg_indexes_size(relid) \
             FROM pg_stat_user_tables WHERE schemaname ~ '^recap(_g[0-9]+)?$'",
        )
        .fetch_all(&mut connection)
        .await?;
        let tables = counted.into_iter().map(|counted| {
            let (
                name,
                live_rows,
                dead_rows,
                inserted,
                updated,
                heap_only_updated,
                autovacuums,
                heap_bytes,
                index_bytes,
            ) = counted;
            let table = Table {
                live_rows,
                dead_rows,
                inserted,
                updated,
                heap_only_updated,
                autovacuums,
                heap_bytes,
                index_bytes,
            };
            (name, table)
        });
        Ok(Self {
            tables: tables.collect(),
            wal: database.wal_position().await?,
        })
    }

    /// The sum over all tables.
    pub fn sum(&self, of: impl Fn(&Table) -> i64) -> i64 {
        self.tables.values().map(of).sum()
    }

    /// What `events` cost since an earlier moment.
    pub fn cost_since(&self, before: &Self, events: u64) -> Cost {
        let events = float(events).max(1.0);
        let grown = |of: fn(&Table) -> i64| signed(self.sum(of) - before.sum(of)) / events;
        let conversations = |tables: &Self| tables.tables.get(CONVERSATIONS).copied().unwrap_or_default();
        let (before_then, now) = (conversations(before), conversations(self));
        let updated = now.updated - before_then.updated;
        let heap_only = signed(now.heap_only_updated - before_then.heap_only_updated) / signed(updated.max(1));
        Cost {
            wal_per_event: (self.wal - before.wal) / events,
            heap_per_event: grown(|table| table.heap_bytes),
            index_per_event: grown(|table| table.index_bytes),
            heap_only: if updated > 0 { heap_only } else { 1.0 },
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 rows or bytes")]
const fn signed(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_what_has_grown_between_two_moments() {
        let at = |wal, updated, heap_only_updated, heap_bytes| Tables {
            wal,
            tables: BTreeMap::from([(
                CONVERSATIONS.to_owned(),
                Table {
                    updated,
                    heap_only_updated,
                    heap_bytes,
                    ..Table::default()
                },
            )]),
        };
        let cost = at(9_000.0, 300, 175, 5_000).cost_since(&at(1_000.0, 100, 25, 1_000), 10);
        let found = [
            cost.wal_per_event,
            cost.heap_per_event,
            cost.index_per_event,
            cost.heap_only,
        ];
        assert_eq!(
            found.map(|value| format!("{value:.2}")),
            ["800.00", "400.00", "0.00", "0.75"]
        );
        let idle = at(0.0, 7, 3, 0);
        assert!((idle.cost_since(&idle, 0).heap_only - 1.0).abs() < f64::EPSILON);
    }
}
