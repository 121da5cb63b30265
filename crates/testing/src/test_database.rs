//! A database of one test, and its rows compared with the fold in memory.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what a test cannot do with its database fails that test"
)]

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use recap_events::{Decoded, decode};
use recap_store::{Batch, BatchBuilder, GenerationId, Reader, Store, StoreOptions, Target};
use sqlx::{AssertSqlSafe, PgPool};

use crate::PostgresServer;

/// The tables of a generation, each with the columns that hold no content: what a write was guarded by, and the state's own encoding.
const TABLES: [(&str, &[&str]); 6] = [
    (
        "conversation_summary",
        &["revision", "base_revision", "text_kept", "state", "part_count"],
    ),
    ("tool_call", &[]),
    ("feedback", &[]),
    ("user_profile", &[]),
    ("user_metadata_token", &[]),
    ("agent_profile", &[]),
];

/// Copies for the indexes, which are not there while a conversation is busy.
const COPIES: [&str; 13] = [
    "listed_recency",
    "listed_agent_model",
    "listed_finish_reason",
    "listed_messages",
    "listed_duration_ms",
    "listed_total_tokens",
    "listed_input_tokens",
    "listed_output_tokens",
    "listed_tool_calls",
    "listed_feedback",
    "listed_helpful",
    "listed_not_helpful",
    "listed_tool_name",
];

/// A database that no other test uses.
pub struct TestDatabase<'s> {
    server: &'s PostgresServer,
    /// Where it is, with superuser rights.
    pub url: String,
    /// As the superuser, for statements that recap has none of.
    pub pool: PgPool,
    /// As recap's programs use it.
    pub store: Store,
}

impl<'s> TestDatabase<'s> {
    /// A database with recap's tables.
    pub async fn migrated(server: &'s PostgresServer) -> Self {
        let database = Self::empty(server).await;
        database.store.migrate().await.unwrap();
        database
    }

    /// A database without any table.
    pub async fn empty(server: &'s PostgresServer) -> Self {
        let url = server.create_database().await.unwrap();
        Self::at(server, url).await
    }

    /// A database that is there: on a standby, or restored.
    pub async fn at(server: &'s PostgresServer, url: String) -> Self {
        let pool = PgPool::connect(&url).await.unwrap();
        let store = Store::new(&options(&url)).unwrap();
        Self {
            server,
            url,
            pool,
            store,
        }
    }

    /// A store with connections of its own, as another process has.
    #[must_use]
    pub fn another_store(&self) -> Store {
        Store::new(&options(&self.url)).unwrap()
    }

    /// What answers dashboards.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(&options(&self.url)).unwrap()
    }

    /// The generation that is live now.
    pub async fn live(&self) -> GenerationId {
        self.store.live_generation().await.unwrap()
    }

    /// Writes a batch to the live generation.
    pub async fn flush(&self, batch: &mut Batch) {
        let live = self.live().await;
        self.store.flush(Target::Live(live), batch).await.unwrap();
    }

    /// How many rows a table of the live generation has.
    pub async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {}.{table}", self.live().await.schema());
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Compares every row of every table of the live generation with the fold of these records; answers how many rows there are.
    pub async fn assert_equals_fold(&self, records: &[recap_generator::Record]) -> usize {
        let comparison = self.compare_with_fold(records).await;
        let (missing, wrong) = (&comparison.missing, &comparison.wrong);
        assert!(
            missing.is_empty() && wrong.is_empty(),
            "{} rows are missing and {} wrong\nexpected {:#?}\nfound {:#?}",
            missing.len(),
            wrong.len(),
            &missing[..missing.len().min(3)],
            &wrong[..wrong.len().min(3)]
        );
        comparison.rows
    }

    /// What differs from the fold of these records, written to a database by one writer: in one transaction, or few where they are many, each of whole
    /// conversations.
    pub async fn compare_with_fold(&self, records: &[recap_generator::Record]) -> FoldComparison {
        let reference = TestDatabase::migrated(self.server).await;
        for records in by_key(records) {
            reference.flush(&mut fold(records)).await;
        }
        let mut comparison = FoldComparison::default();
        for (table, ignored) in TABLES {
            let found = self.dump(table, ignored).await;
            let expected = reference.dump(table, ignored).await;
            comparison.missing.extend(expected.difference(&found).cloned());
            comparison.wrong.extend(found.difference(&expected).cloned());
            comparison.rows += found.len();
        }
        comparison
    }

    /// The columns of a generation, of any type, that hold these bytes anywhere.
    pub async fn columns_with(&self, generation: GenerationId, text: &str) -> Vec<String> {
        let schema = generation.schema();
        let columns: Vec<(String, String, bool)> = sqlx::query_as(
            "SELECT table_name::text, column_name::text, data_type = 'bytea' FROM information_schema.columns \
             WHERE table_schema = $1 ORDER BY 1, 2",
        )
        .bind(&schema)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert!(!columns.is_empty(), "there is no generation {generation}");
        let mut found = Vec::new();
        for (table, column, is_binary) in columns {
            let bytes = if is_binary {
                column.clone()
            } else {
                format!("convert_to({column}::text, 'UTF8')")
            };
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM {schema}.{table} WHERE position(convert_to($1, 'UTF8') IN {bytes}) > 0)"
            );
            let exists = sqlx::query_scalar(AssertSqlSafe(sql)).bind(text);
            if exists.fetch_one(&self.pool).await.unwrap() {
                found.push(format!("{table}.{column}"));
            }
        }
        found
    }

    async fn dump(&self, table: &'static str, ignored: &[&str]) -> BTreeSet<FoundRow> {
        let schema = self.live().await.schema();
        let ignored = [ignored, &COPIES].concat().join(",");
        let sql = format!("SELECT org_id, (to_jsonb(t) - '{{{ignored}}}'::text[])::text FROM {schema}.{table} t");
        let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&self.pool).await.unwrap();
        let row = |(org_id, json)| FoundRow { table, org_id, json };
        rows.into_iter().map(row).collect()
    }
}

/// How a database differs from the fold.
#[derive(Debug, Default)]
pub struct FoldComparison {
    /// Rows that the database has.
    pub rows: usize,
    /// Rows that it should have and has not.
    pub missing: Vec<FoundRow>,
    /// Rows that it has and should not have.
    pub wrong: Vec<FoundRow>,
}

/// A row of a table, all its content included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundRow {
    /// The table.
    pub table: &'static str,
    /// The organization it belongs to.
    pub org_id: String,
    /// Its columns and their values, as JSON.
    pub json: String,
}

/// The records in groups, those of one key in one of them.
fn by_key(records: &[recap_generator::Record]) -> Vec<Vec<&recap_generator::Record>> {
    /// With 2.5 million in one transaction an `UPDATE` of it took seven minutes.
    const RECORDS: usize = 200_000;
    let count = records.len().div_ceil(RECORDS).max(1);
    let mut groups = vec![Vec::new(); count];
    for record in records {
        let mut hasher = DefaultHasher::new();
        record.key.hash(&mut hasher);
        groups[usize::try_from(hasher.finish()).unwrap_or_default() % count].push(record);
    }
    groups
}

/// The valid events of these records, folded in memory alone.
#[must_use]
pub fn fold<'r>(records: impl IntoIterator<Item = &'r recap_generator::Record>) -> Batch {
    let mut builder = BatchBuilder::default();
    for record in records {
        if let Decoded::Event(event) = decode(Some(&record.value), std::iter::empty(), None) {
            builder.add(&event);
        }
    }
    builder.build()
}

fn options(url: &str) -> StoreOptions {
    StoreOptions {
        statement_timeout: Duration::from_mins(2),
        ..StoreOptions::new(url, "recap-test")
    }
}
