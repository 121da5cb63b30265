//! Migrations: run by the operator's tool, checked by the services.

use std::{borrow::Cow, error::Error, time::Duration};

use sqlx::{
    Connection as _, PgConnection,
    migrate::{MigrateError, Migrator},
};

use super::{access, distribution};
use crate::{
    Store,
    columns::LAYOUT,
    error::DatabaseError,
    generation_id::GenerationId,
    lease::{BRIEF, within},
};

/// Why the services refuse to work with this database, or why migrating it failed.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database was never migrated.
    #[error("the database has no recap schema: run `recap migrate`")]
    NotMigrated,
    /// Migrations of this release are missing.
    #[error("the database is at migration {applied}, this release needs {expected}: run `recap migrate`")]
    Behind {
        /// The newest migration applied.
        applied: i64,
        /// The newest migration this release knows.
        expected: i64,
    },
    /// A newer release has migrated the database.
    #[error(
        "the database is at migration {applied}, this release knows only {expected}: a newer release has migrated it"
    )]
    Ahead {
        /// The newest migration applied.
        applied: i64,
        /// The newest migration this release knows.
        expected: i64,
    },
    /// A migration differs from the one that was applied.
    #[error("migration {0} was applied with other contents")]
    Changed(i64),
    /// The live generation's tables are of another version.
    #[error("generation {generation} has table layout {layout}, this release needs {expected}: run `recap migrate`")]
    Layout {
        /// The live generation.
        generation: GenerationId,
        /// Its layout.
        layout: i32,
        /// The layout this release reads and writes.
        expected: i32,
    },
    /// The database's encoding cannot hold every text.
    #[error(
        "the database's encoding is {0}, which cannot hold every text: create one with ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// A role could not be created.
    #[error(
        "the role {role} does not exist and cannot be created ({cause}): have it created by a role that may (deploy/postgres/roles.sql), then run `recap migrate` again"
    )]
    Role {
        /// Which.
        role: &'static str,
        /// Why.
        cause: DatabaseError,
    },
    /// Roles, policies or grants are missing: a database that was restored without roles, for one.
    #[error("{0}: run `recap migrate`, which repairs it")]
    Access(String),
    /// The role may not write.
    #[error(
        "the role {role} may not write recap's tables: connect as their owner, or GRANT recap_projector TO {role} and run `recap migrate`"
    )]
    NotWriter {
        /// Which.
        role: String,
    },
    /// A worker of a cluster, where the control schema is not.
    #[error("DATABASE_URL leads to a worker of a Citus cluster: every program of recap connects to the coordinator")]
    NotCoordinator,
    /// A node of a cluster does not have the role by which the coordinator reads from it.
    #[error(
        "the node {node} of the Citus cluster has no role recap_query that may log in ({cause}): have it created there, then run `recap migrate` again"
    )]
    Node {
        /// Which.
        node: String,
        /// What it answered.
        cause: String,
    },
    /// A pooler gives each transaction another session.
    #[error(
        "DATABASE_URL leads to a pooler in transaction mode, where settings and prepared statements do not last: use session mode, or PostgreSQL directly"
    )]
    NoSessions,
    /// A migration failed.
    #[error("migrating failed: {0}")]
    Migration(Box<dyn Error + Send + Sync>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl SchemaError {
    /// Whether somebody else changed the same row of a catalog meanwhile: PostgreSQL lets the second of two that grant, or alter a role, wait and then refuses it
    /// (SQLSTATE XX000 and a text that it never translates). Roles belong to all databases of a server, so no lock of one database prevents it.
    fn is_collision(&self) -> bool {
        self.to_string().contains("tuple concurrently ")
    }
}

impl From<sqlx::Error> for SchemaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<MigrateError> for SchemaError {
    fn from(error: MigrateError) -> Self {
        Self::Migration(error.into())
    }
}

impl Store {
    /// Brings the control schema up to date and creates the first generation if there is none.
    ///
    /// Safe to run by several at once and any number of times.
    pub async fn migrate(&self) -> Result<(), SchemaError> {
        if !self.has_sessions().await? {
            return Err(SchemaError::NoSessions);
        }
        let mut attempt = 1;
        loop {
            // The locks belong to the session: closing it gives them back, which dropping the lease does.
            let (mut lease, watchdog) = self.watched_lease().await?;
            match watchdog.over(migrate(lease.get()?)).await {
                Err(cause) if cause.is_collision() && attempt < ATTEMPTS => {
                    tracing::warn!(%cause, attempt, "another program changed the same rights or roles, migrating again");
                }
                done => return done,
            }
            drop(lease);
            tokio::time::sleep(BETWEEN_ATTEMPTS * attempt).await;
            attempt += 1;
        }
    }

    /// Whether this program and the database fit together. Changes nothing.
    pub async fn check_schema(&self) -> Result<(), SchemaError> {
        if !self.has_sessions().await? {
            return Err(SchemaError::NoSessions);
        }
        let mut lease = self.lease().await?;
        let live = check_schema(lease.get()?).await?;
        within(BRIEF, access::check_writer(lease.get()?, live)).await?;
        // A worker that is away is no reason not to start.
        if within(BRIEF, distribution::warn_of_forgetful_workers(lease.get()?))
            .await
            .is_ok()
        {
            lease.give_back();
        }
        Ok(())
    }
}

/// One at a time in a database: of two at once the later finds everything done.
async fn migrate(connection: &mut PgConnection) -> Result<(), SchemaError> {
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *connection)
        .await?;
    access::check_encoding(connection).await?;
    distribution::check_coordinator(connection).await?;
    access::ensure_roles(connection).await?;
    distribution::let_readers_log_in(connection).await?;
    prepare(connection).await?;
    migrator().run_direct(None, &mut *connection, false).await?;
    publish(connection).await?;
    super::ensure_live(connection).await?;
    super::upgrade(connection).await?;
    let generations = super::generations(connection).await?;
    let ids: Vec<GenerationId> = generations.into_iter().map(|generation| generation.id).collect();
    let mut transaction = connection.begin().await?;
    super::lock_exclusively(&mut transaction).await?;
    for id in &ids {
        distribution::distribute(&mut transaction, *id).await?;
    }
    access::grant(&mut transaction, &ids).await?;
    transaction.commit().await?;
    Ok(())
}

/// Whether this program and the database fit together. Changes nothing.
pub(crate) async fn check_schema(connection: &mut PgConnection) -> Result<GenerationId, SchemaError> {
    within(BRIEF, compare_with_database(connection)).await
}

/// The live generation, when all is as it should be.
async fn compare_with_database(connection: &mut PgConnection) -> Result<GenerationId, SchemaError> {
    let (any, all): (bool, bool) = sqlx::query_as(
        "SELECT to_regclass('recap.migration') IS NOT NULL, to_regclass('recap.schema_migration') IS NOT NULL",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !any {
        return Err(SchemaError::NotMigrated);
    }
    let refused: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM recap.migration WHERE success")
        .fetch_one(&mut *connection)
        .await?;
    // Before there was a list of all of them.
    let list = if all {
        "SELECT version, checksum FROM recap.schema_migration WHERE success ORDER BY version"
    } else {
        "SELECT version, checksum FROM recap.migration WHERE success ORDER BY version"
    };
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(list).fetch_all(&mut *connection).await?;
    compare(&applied, refused.unwrap_or(0))?;
    let live: Option<(i32, i32)> =
        sqlx::query_as("SELECT g.id, g.layout FROM recap.live l JOIN recap.generation g ON g.id = l.generation")
            .fetch_optional(&mut *connection)
            .await?;
    let live = match live {
        None => return Err(SchemaError::NotMigrated),
        Some((id, LAYOUT)) => GenerationId::new(id),
        Some((id, layout)) => {
            return Err(SchemaError::Layout {
                generation: GenerationId::new(id),
                layout,
                expected: LAYOUT,
            });
        }
    };
    access::check_encoding(connection).await?;
    access::check_readers(connection, live).await?;
    distribution::check(connection, live).await?;
    Ok(live)
}

/// `refused` is the newest migration that releases which do not know it cannot live with.
fn compare(applied: &[(i64, Vec<u8>)], refused: i64) -> Result<(), SchemaError> {
    let migrator = migrator();
    let newest_known = migrator.iter().map(|m| m.version).max().unwrap_or(0);
    let newest_applied = applied.iter().map(|(version, _)| *version).max().unwrap_or(0);
    if refused > newest_known {
        return Err(SchemaError::Ahead {
            applied: refused,
            expected: newest_known,
        });
    }
    for migration in migrator.iter() {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => {
                return Err(SchemaError::Behind {
                    applied: newest_applied,
                    expected: newest_known,
                });
            }
            Some((_, checksum)) if *checksum != *migration.checksum => {
                return Err(SchemaError::Changed(migration.version));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The advisory lock of migrations. Earlier releases take it for a part of them. The value is arbitrary and must never change.
const MIGRATION_LOCK: i64 = 0x6865_6c6c_6f77_6f72;
/// How often a migration is tried that others collide with.
const ATTEMPTS: u32 = 10;
/// Before the second attempt; longer before each later one.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// What a migration's file says when older releases can live with it, followed by the oldest of them.
const LIVES_WITH: &str = "-- Oldest release that can live with it: ";

/// All migrations are listed in `recap.schema_migration`; `recap.migration` lists those that a release which does not know them cannot live with, and
/// release 0.1.0 reads only that. Both are made here, since the first migration grants rights on one of them.
async fn prepare(connection: &mut PgConnection) -> Result<(), SchemaError> {
    sqlx::raw_sql(
        "BEGIN; DO $$ BEGIN IF to_regnamespace('recap') IS NULL THEN CREATE SCHEMA recap; END IF; END $$; \
         CREATE TABLE IF NOT EXISTS recap.migration (version bigint PRIMARY KEY, description text NOT NULL, \
           installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL); \
         CREATE TABLE IF NOT EXISTS recap.schema_migration (LIKE recap.migration INCLUDING ALL); \
         INSERT INTO recap.schema_migration SELECT * FROM recap.migration ON CONFLICT DO NOTHING; COMMIT",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Lists the migrations that older releases cannot live with where they see them.
async fn publish(connection: &mut PgConnection) -> Result<(), SchemaError> {
    let migrator = migrator();
    let alone = migrator
        .iter()
        .filter(|migration| !migration.sql.as_str().contains(LIVES_WITH));
    let alone: Vec<i64> = alone.map(|migration| migration.version).collect();
    sqlx::query(
        "INSERT INTO recap.migration SELECT * FROM recap.schema_migration WHERE version = ANY ($1) ON CONFLICT DO NOTHING",
    )
    .bind(alone)
    .execute(connection)
    .await?;
    Ok(())
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("../../migrations");
    migrator.table_name = Cow::Borrowed("recap.schema_migration");
    migrator.create_schemas = Cow::Borrowed(&[Cow::Borrowed("recap")]);
    migrator
}
