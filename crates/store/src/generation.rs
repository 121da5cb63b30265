//! Generations: each is a PostgreSQL schema with all tables of the projection; one of them is live.
//!
//! A flush holds [`GENERATION_LOCK`] shared while it writes; whatever changes which generations
//! exist or which is live holds it exclusively. So a flush goes wholly into the generation it
//! read, and after a switch commits no flush into the old one is under way.

mod access;
mod comparison;
mod distribution;
mod migrate;
mod offsets;
mod rebuild_lock;
mod shares;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgRow};

pub(crate) use self::migrate::check_schema;
pub use self::{
    comparison::{ColumnDifference, Comparison, Difference, OrganizationTotals},
    migrate::SchemaError,
    offsets::GenerationOffset,
    rebuild_lock::RebuildLock,
    shares::{Share, Shares},
};
use crate::{
    Store, changes,
    columns::LAYOUT,
    error::DatabaseError,
    generation_id::GenerationId,
    lease::{BRIEF, within},
    statistics,
};

/// The advisory lock of this module; the value is arbitrary and must never change.
pub(crate) const GENERATION_LOCK: i64 = 0x7265_6361_7067_656e;

const TABLES: &str = include_str!("../../../migrations/generation/tables.sql");
const INDEXES: &str = include_str!("../../../migrations/generation/indexes.sql");
const UPGRADE_2: &str = include_str!("../../../migrations/generation/upgrade_2.sql");

/// What a generation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationStatus {
    /// A rebuild fills it.
    Building,
    /// It is written by the projectors and read by everyone.
    Live,
    /// It was live before and is kept for a rollback.
    Kept,
}

impl GenerationStatus {
    fn parse(text: &str) -> Result<Self, sqlx::Error> {
        match text {
            "building" => Ok(Self::Building),
            "live" => Ok(Self::Live),
            "kept" => Ok(Self::Kept),
            other => Err(sqlx::Error::Decode(
                format!("unknown generation status {other:?}").into(),
            )),
        }
    }
}

/// A generation as the control schema describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub id: GenerationId,
    /// What it is for.
    pub status: GenerationStatus,
    /// The version of the table definitions it was made from.
    pub layout: i32,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last became live.
    pub live_since: Option<DateTime<Utc>>,
    /// The digest of the mappings that its events were made with; empty before there were any.
    pub mappings: String,
}

/// Why a generation could not be created, switched to or discarded.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// A generation is already being built; resume or discard it.
    #[error("generation {0} is already being built")]
    AlreadyBuilding(GenerationId),
    /// There is no such generation.
    #[error("there is no generation {0}")]
    Unknown(GenerationId),
    /// The live generation cannot be discarded.
    #[error("generation {0} is live")]
    Live(GenerationId),
    /// Another generation is live than the one the switch starts from.
    #[error("generation {live} is live, not the one to switch from")]
    Changed {
        /// The generation that is live.
        live: GenerationId,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for GenerationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Store {
    /// All generations, oldest first.
    pub async fn generations(&self) -> Result<Vec<Generation>, DatabaseError> {
        let mut lease = self.lease().await?;
        let found = within(BRIEF, generations(lease.get()?)).await?;
        lease.give_back();
        Ok(found)
    }

    /// The live generation.
    pub async fn live_generation(&self) -> Result<GenerationId, DatabaseError> {
        let mut lease = self.lease().await?;
        let live = within(BRIEF, live(lease.get()?)).await?;
        lease.give_back();
        Ok(live)
    }

    /// Creates an empty generation to build: its tables and keys, without the secondary indexes.
    pub async fn create_generation(&self) -> Result<GenerationId, GenerationError> {
        let (mut lease, watchdog) = self.watched_lease().await?;
        let id = watchdog.over(create(lease.get()?)).await?;
        lease.give_back();
        Ok(id)
    }

    /// Keeps with a generation the digest of the mappings that its events are made with, unless it has one. Returns the digest that is kept: when that is
    /// another than `mappings`, older records are there as earlier mappings made them.
    pub async fn adopt_mappings(&self, id: GenerationId, mappings: &str) -> Result<String, DatabaseError> {
        let mut lease = self.lease().await?;
        let kept = within(BRIEF, adopt_mappings(lease.get()?, id, mappings)).await?;
        lease.give_back();
        Ok(kept)
    }

    /// Creates the secondary indexes of a generation that has none.
    pub async fn create_indexes(&self, id: GenerationId) -> Result<(), GenerationError> {
        let (mut lease, watchdog) = self.watched_lease().await?;
        watchdog.over(index(lease.get()?, id)).await?;
        lease.give_back();
        Ok(())
    }

    /// Makes `to` live in place of `from`, which is kept, and stores how far each of them is complete.
    /// Waits for running flushes; those that come later see the new generation.
    pub async fn switch_generation(
        &self,
        from: GenerationId,
        to: GenerationId,
        from_offsets: &[GenerationOffset],
        to_offsets: &[GenerationOffset],
    ) -> Result<(), GenerationError> {
        let (mut lease, watchdog) = self.watched_lease().await?;
        let switching = switch(lease.get()?, (from, from_offsets), (to, to_offsets));
        watchdog.over(switching).await?;
        lease.give_back();
        Ok(())
    }

    /// Makes a kept generation one that is being built, to bring it up to date for a rollback.
    pub async fn reopen_generation(&self, id: GenerationId) -> Result<(), GenerationError> {
        let (mut lease, watchdog) = self.watched_lease().await?;
        watchdog.over(reopen(lease.get()?, id)).await?;
        lease.give_back();
        Ok(())
    }

    /// Fills an empty generation with the rows of another of the same layout.
    pub async fn copy_generation(&self, from: GenerationId, to: GenerationId) -> Result<(), GenerationError> {
        let (mut lease, watchdog) = self.watched_lease().await?;
        watchdog.over(copy(lease.get()?, from, to)).await?;
        lease.give_back();
        Ok(())
    }

    /// Drops a generation that is not live, with everything in it.
    pub async fn discard_generation(&self, id: GenerationId) -> Result<(), GenerationError> {
        let (mut lease, watchdog) = self.watched_lease().await?;
        watchdog.over(discard(lease.get()?, id)).await?;
        lease.give_back();
        Ok(())
    }
}

async fn create(connection: &mut PgConnection) -> Result<GenerationId, GenerationError> {
    let mut transaction = connection.begin().await?;
    lock_exclusively(&mut transaction).await?;
    let building = generations(&mut transaction)
        .await?
        .into_iter()
        .find(|generation| generation.status == GenerationStatus::Building);
    if let Some(generation) = building {
        return Err(GenerationError::AlreadyBuilding(generation.id));
    }
    let id = create_tables(&mut transaction, "building").await?;
    transaction.commit().await?;
    Ok(id)
}

async fn index(connection: &mut PgConnection, id: GenerationId) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    create_secondary_indexes(&mut transaction, id).await?;
    sqlx::raw_sql(AssertSqlSafe(statistics::analyze(id)))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn switch(
    connection: &mut PgConnection,
    (from, from_offsets): (GenerationId, &[GenerationOffset]),
    (to, to_offsets): (GenerationId, &[GenerationOffset]),
) -> Result<(), GenerationError> {
    let mut transaction = connection.begin().await?;
    lock_exclusively(&mut transaction).await?;
    let live = live(&mut transaction).await?;
    if live != from {
        return Err(GenerationError::Changed { live });
    }
    set_status(&mut transaction, from, "kept").await?;
    if !set_status(&mut transaction, to, "live").await? {
        return Err(GenerationError::Unknown(to));
    }
    sqlx::query("UPDATE recap.live SET generation = $1")
        .bind(to.number())
        .execute(&mut *transaction)
        .await?;
    offsets::store(&mut transaction, from, from_offsets).await?;
    offsets::store(&mut transaction, to, to_offsets).await?;
    changes::notify_generation(&mut transaction, to).await?;
    transaction.commit().await?;
    Ok(())
}

async fn reopen(connection: &mut PgConnection, id: GenerationId) -> Result<(), GenerationError> {
    let mut transaction = connection.begin().await?;
    lock_exclusively(&mut transaction).await?;
    if live(&mut transaction).await? == id {
        return Err(GenerationError::Live(id));
    }
    if !set_status(&mut transaction, id, "building").await? {
        return Err(GenerationError::Unknown(id));
    }
    transaction.commit().await?;
    Ok(())
}

async fn copy(connection: &mut PgConnection, from: GenerationId, to: GenerationId) -> Result<(), sqlx::Error> {
    // One snapshot for all tables: a state whose payloads were not copied would never get them again.
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1")
            .bind(to.schema())
            .fetch_all(&mut *transaction)
            .await?;
    for table in tables {
        let columns: String = sqlx::query_scalar(
            "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) \
             FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER'",
        )
        .bind(to.schema())
        .bind(&table)
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {}.{table} ({columns}) SELECT {columns} FROM {}.{table}",
            to.schema(),
            from.schema()
        )))
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

async fn discard(connection: &mut PgConnection, id: GenerationId) -> Result<(), GenerationError> {
    let mut transaction = connection.begin().await?;
    lock_exclusively(&mut transaction).await?;
    if live(&mut transaction).await? == id {
        return Err(GenerationError::Live(id));
    }
    let deleted = sqlx::query("DELETE FROM recap.generation WHERE id = $1")
        .bind(id.number())
        .execute(&mut *transaction)
        .await?;
    if deleted.rows_affected() == 0 {
        return Err(GenerationError::Unknown(id));
    }
    sqlx::raw_sql(AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", id.schema())))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Creates the first generation, which is number 1, and makes it live, unless one is.
pub(crate) async fn ensure_live(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    lock_exclusively(&mut transaction).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM recap.live)")
        .fetch_one(&mut *transaction)
        .await?;
    if !exists {
        // Attempts that failed have used up numbers.
        sqlx::query(
            "SELECT setval('recap.generation_id', coalesce((SELECT max(id) FROM recap.generation), 0) + 1, false)",
        )
        .execute(&mut *transaction)
        .await?;
        let id = create_tables(&mut transaction, "building").await?;
        create_secondary_indexes(&mut transaction, id).await?;
        set_status(&mut transaction, id, "live").await?;
        sqlx::query("INSERT INTO recap.live (generation) VALUES ($1)")
            .bind(id.number())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// Brings generations of an older layout up to this one.
pub(crate) async fn upgrade(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    lock_exclusively(&mut transaction).await?;
    for generation in generations(&mut transaction).await? {
        if generation.layout == 1 {
            run_template(&mut transaction, generation.id, UPGRADE_2).await?;
            // A generation that is being built gets its indexes last.
            if generation.status != GenerationStatus::Building {
                create_secondary_indexes(&mut transaction, generation.id).await?;
            }
            sqlx::query("UPDATE recap.generation SET layout = $2 WHERE id = $1")
                .bind(generation.id.number())
                .bind(LAYOUT)
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await
}

pub(crate) async fn live(connection: &mut PgConnection) -> Result<GenerationId, sqlx::Error> {
    sqlx::query_scalar("SELECT generation FROM recap.live")
        .fetch_one(connection)
        .await
        .map(GenerationId::new)
}

async fn lock_exclusively(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(GENERATION_LOCK)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn generations(connection: &mut PgConnection) -> Result<Vec<Generation>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT id, status, layout, created_at, live_since, mappings FROM recap.generation ORDER BY id")
            .fetch_all(connection)
            .await?;
    rows.iter().map(generation).collect()
}

fn generation(row: &PgRow) -> Result<Generation, sqlx::Error> {
    Ok(Generation {
        id: GenerationId::new(row.try_get(0)?),
        status: GenerationStatus::parse(row.try_get(1)?)?,
        layout: row.try_get(2)?,
        created_at: row.try_get(3)?,
        live_since: row.try_get(4)?,
        mappings: row.try_get(5)?,
    })
}

async fn create_tables(connection: &mut PgConnection, status: &'static str) -> Result<GenerationId, sqlx::Error> {
    let id = sqlx::query_scalar(
        "INSERT INTO recap.generation (id, status, layout) \
         VALUES (nextval('recap.generation_id'), $1, $2) RETURNING id",
    )
    .bind(status)
    .bind(LAYOUT)
    .fetch_one(&mut *connection)
    .await
    .map(GenerationId::new)?;
    let schema = id.schema();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO recap_query"
    )))
    .execute(&mut *connection)
    .await?;
    run_template(connection, id, TABLES).await?;
    access::grant_generation(connection, id).await?;
    distribution::distribute(connection, id).await?;
    Ok(id)
}

/// Sets the digest of a generation that has none; returns the one it has.
async fn adopt_mappings(
    connection: &mut PgConnection,
    id: GenerationId,
    mappings: &str,
) -> Result<String, sqlx::Error> {
    sqlx::query("UPDATE recap.generation SET mappings = $2 WHERE id = $1 AND mappings = '' AND $2 <> ''")
        .bind(id.number())
        .bind(mappings)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar("SELECT mappings FROM recap.generation WHERE id = $1")
        .bind(id.number())
        .fetch_one(connection)
        .await
}

/// Runs one of the templates with the generation's schema as the only place names resolve to.
async fn run_template(
    connection: &mut PgConnection,
    id: GenerationId,
    template: &'static str,
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL search_path TO {}", id.schema())))
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(template).execute(&mut *connection).await?;
    sqlx::raw_sql("SET LOCAL search_path TO DEFAULT")
        .execute(connection)
        .await?;
    Ok(())
}

/// Statement by statement: Citus passes on the whole text that a statement came in.
async fn create_secondary_indexes(connection: &mut PgConnection, id: GenerationId) -> Result<(), sqlx::Error> {
    for statement in INDEXES.split_inclusive(";\n") {
        run_template(connection, id, statement).await?;
    }
    Ok(())
}

async fn set_status(
    connection: &mut PgConnection,
    id: GenerationId,
    status: &'static str,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE recap.generation SET status = $2, \
         live_since = CASE WHEN $2 = 'live' THEN now() ELSE live_since END WHERE id = $1",
    )
    .bind(id.number())
    .bind(status)
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}
