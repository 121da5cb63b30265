//! Two generations held against each other, row by row, in one snapshot.
//!
//! What is compared is what is shown: every column that both generations have, except those that only
//! serve writing (states and revisions differ between equal rows).

use std::collections::BTreeMap;

use sqlx::{
    AssertSqlSafe, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use crate::{Store, columns::may_differ, error::DatabaseError, generation_id::GenerationId};

/// The compared tables, each with its key behind `org_id`.
const TABLES: [(&str, &[&str]); 6] = [
    ("conversation_summary", &["conversation_id"]),
    ("tool_call", &["conversation_id", "tool_call_id"]),
    ("feedback", &["conversation_id", "feedback_id"]),
    ("user_profile", &["user_id"]),
    ("user_metadata_token", &["user_id", "token"]),
    ("agent_profile", &["agent_id"]),
];

/// A row that is not the same in both generations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The organization.
    pub org_id: String,
    /// The rest of the row's key.
    pub key: Vec<String>,
}

/// A column that is not the same, both values as JSON; `None` where the row is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDifference {
    /// The column.
    pub column: String,
    /// In the first generation.
    pub old: Option<String>,
    /// In the second generation.
    pub new: Option<String>,
}

/// What an organization adds up to in one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrganizationTotals {
    /// Conversations, deleted ones included.
    pub conversations: i64,
    /// The sum of their tokens.
    pub total_tokens: i64,
}

/// Compares the generation `old` with the generation `new`.
#[derive(Debug, Clone)]
pub struct Comparison {
    store: Store,
    old: GenerationId,
    new: GenerationId,
    tables: Vec<Table>,
}

#[derive(Debug, Clone)]
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    columns: Vec<String>,
}

impl Store {
    /// Prepares to compare, by the columns that the two generations have in common.
    pub async fn compare(&self, old: GenerationId, new: GenerationId) -> Result<Comparison, DatabaseError> {
        let mut comparison = Comparison {
            store: self.clone(),
            old,
            new,
            tables: Vec::new(),
        };
        comparison.tables = comparison.common_tables().await?;
        Ok(comparison)
    }
}

impl Comparison {
    async fn common_tables(&self) -> Result<Vec<Table>, sqlx::Error> {
        let statement = sqlx::query(
            "SELECT table_name::text, column_name::text FROM information_schema.columns \
             WHERE table_schema IN ($1, $2) GROUP BY 1, 2 HAVING count(*) = 2 ORDER BY 1, 2",
        );
        let statement = statement.bind(self.old.schema()).bind(self.new.schema());
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.fetch(statement).await? {
            let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            if !may_differ(&column) {
                columns.entry(table).or_default().push(column);
            }
        }
        Ok(TABLES
            .iter()
            .filter_map(|(name, key)| columns.remove(*name).map(|columns| Table { name, key, columns }))
            .collect())
    }

    /// Runs a statement that may take as long as it takes.
    async fn fetch(&self, statement: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, sqlx::Error> {
        let (mut lease, watchdog) = self.store.watched_lease().await?;
        let rows = watchdog.over(statement.fetch_all(lease.get()?)).await?;
        lease.give_back();
        Ok(rows)
    }

    /// Organizations in which anything differs, by row counts and row hashes; of all tables at once.
    pub async fn organizations(&self) -> Result<Vec<String>, DatabaseError> {
        let tables = self.tables.iter().map(|table| self.differing_in(table));
        let mut organizations = futures::future::try_join_all(tables).await?.concat();
        organizations.sort();
        organizations.dedup();
        Ok(organizations)
    }

    async fn differing_in(&self, table: &Table) -> Result<Vec<String>, sqlx::Error> {
        let digest = |generation: GenerationId| {
            format!(
                "(SELECT org_id, count(*) AS n, sum({hash}::numeric) AS h FROM {schema}.{name} GROUP BY org_id)",
                hash = table.hash(),
                schema = generation.schema(),
                name = table.name,
            )
        };
        let statement = format!(
            "SELECT org_id FROM {} o FULL JOIN {} n USING (org_id) WHERE o.n IS DISTINCT FROM n.n OR o.h IS DISTINCT FROM n.h",
            digest(self.old),
            digest(self.new),
        );
        let rows = self.fetch(sqlx::query(AssertSqlSafe(statement))).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// How many conversations the new generation has.
    pub async fn conversations(&self) -> Result<u64, DatabaseError> {
        let statement = format!("SELECT count(*) FROM {}.conversation_summary", self.new.schema());
        let rows = self.fetch(sqlx::query(AssertSqlSafe(statement))).await?;
        let count: i64 = one(&rows)?.try_get(0)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The rows that differ in these organizations, at most `limit` a table.
    pub async fn rows(&self, organizations: &[String], limit: u32) -> Result<Vec<Difference>, DatabaseError> {
        let mut differences = Vec::new();
        for table in &self.tables {
            let statement = table.differing(self, "WHERE org_id = ANY($1)", &format!(" LIMIT {limit}"));
            let statement = sqlx::query(AssertSqlSafe(statement)).bind(organizations);
            for row in self.fetch(statement).await? {
                differences.push(table.difference(&row)?);
            }
        }
        Ok(differences)
    }

    /// Those of `differences` that still differ.
    pub async fn still(&self, differences: &[Difference]) -> Result<Vec<Difference>, DatabaseError> {
        let mut still = Vec::new();
        for table in &self.tables {
            let mut keys: Vec<Vec<&str>> = vec![Vec::new(); table.key.len() + 1];
            for difference in differences.iter().filter(|d| d.table == table.name) {
                keys[0].push(&difference.org_id);
                for (column, value) in keys[1..].iter_mut().zip(&difference.key) {
                    column.push(value);
                }
            }
            if keys[0].is_empty() {
                continue;
            }
            let arrays: Vec<String> = (1..=keys.len()).map(|n| format!("${n}::text[]")).collect();
            let restriction = format!(
                "WHERE (org_id, {}) IN (SELECT * FROM unnest({}))",
                table.key_as_text(),
                arrays.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(table.differing(self, &restriction, "")));
            for column in &keys {
                query = query.bind(column);
            }
            for row in self.fetch(query).await? {
                still.push(table.difference(&row)?);
            }
        }
        Ok(still)
    }

    /// The columns in which a row differs.
    pub async fn columns(&self, difference: &Difference) -> Result<Vec<ColumnDifference>, DatabaseError> {
        let Some(table) = self.tables.iter().find(|t| t.name == difference.table) else {
            return Ok(Vec::new());
        };
        let old = self.row(table, self.old, difference).await?;
        let new = self.row(table, self.new, difference).await?;
        Ok(table
            .columns
            .iter()
            .zip(old.into_iter().zip(new))
            .filter(|(_, (old, new))| old != new)
            .map(|(column, (old, new))| ColumnDifference {
                column: column.clone(),
                old,
                new,
            })
            .collect())
    }

    /// The totals of an organization in both generations.
    pub async fn totals(&self, org_id: &str) -> Result<(OrganizationTotals, OrganizationTotals), DatabaseError> {
        let mut totals = [OrganizationTotals::default(); 2];
        for (total, generation) in totals.iter_mut().zip([self.old, self.new]) {
            let statement = format!(
                "SELECT count(*), coalesce(sum(total_tokens), 0)::bigint \
                 FROM {}.conversation_summary WHERE org_id = $1",
                generation.schema()
            );
            let rows = self.fetch(sqlx::query(AssertSqlSafe(statement)).bind(org_id)).await?;
            let row = one(&rows)?;
            total.conversations = row.try_get(0)?;
            total.total_tokens = row.try_get(1)?;
        }
        Ok((totals[0], totals[1]))
    }

    /// The row's values as JSON in the order of the table's columns, all `None` where it is missing.
    async fn row(
        &self,
        table: &Table,
        generation: GenerationId,
        difference: &Difference,
    ) -> Result<Vec<Option<String>>, sqlx::Error> {
        let values: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("coalesce(to_json({column})::text, 'null')"))
            .collect();
        let places: Vec<String> = (0..table.key.len()).map(|n| format!("${}", n + 2)).collect();
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "SELECT {} FROM {}.{} WHERE org_id = $1 AND ({}) = ({})",
            values.join(", "),
            generation.schema(),
            table.name,
            table.key_as_text(),
            places.join(", "),
        )))
        .bind(&difference.org_id);
        for value in &difference.key {
            query = query.bind(value);
        }
        match self.fetch(query).await?.first() {
            None => Ok(vec![None; table.columns.len()]),
            Some(row) => (0..table.columns.len())
                .map(|column| row.try_get(column).map(Some))
                .collect(),
        }
    }
}

fn one(rows: &[PgRow]) -> Result<&PgRow, sqlx::Error> {
    rows.first().ok_or(sqlx::Error::RowNotFound)
}

impl Table {
    /// By the columns' own hash functions: their texts would have to be made first, which takes longer than hashing them.
    fn hash(&self) -> String {
        format!("hash_record_extended(ROW({}), 0)", self.columns.join(", "))
    }

    fn key_as_text(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(|k| format!("{k}::text")).collect();
        columns.join(", ")
    }

    /// The keys of rows that differ, of those that `restriction` leaves.
    fn differing(&self, comparison: &Comparison, restriction: &str, end: &str) -> String {
        let names: Vec<String> = (0..self.key.len()).map(|n| format!("k{n}")).collect();
        let side = |generation: GenerationId| {
            let keys: Vec<String> = self
                .key
                .iter()
                .zip(&names)
                .map(|(column, name)| format!("{column}::text AS {name}"))
                .collect();
            format!(
                "(SELECT org_id, {}, {} AS h FROM {}.{} {restriction})",
                keys.join(", "),
                self.hash(),
                generation.schema(),
                self.name,
            )
        };
        format!(
            "SELECT org_id, {keys} FROM {old} o FULL JOIN {new} n USING (org_id, {keys}) \
             WHERE o.h IS DISTINCT FROM n.h{end}",
            keys = names.join(", "),
            old = side(comparison.old),
            new = side(comparison.new),
        )
    }

    fn difference(&self, row: &PgRow) -> Result<Difference, sqlx::Error> {
        Ok(Difference {
            table: self.name,
            org_id: row.try_get(0)?,
            key: (1..=self.key.len())
                .map(|column| row.try_get(column))
                .collect::<Result<_, _>>()?,
        })
    }
}
