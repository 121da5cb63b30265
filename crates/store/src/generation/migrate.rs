//! Migrations: run by the operator's tool, checked by the services.

use std::{borrow::Cow, error::Error};

use sqlx::{
    Acquire as _, PgPool,
    migrate::{MigrateError, Migrator},
};

use crate::{Store, columns::LAYOUT, error::DatabaseError, generation_id::GenerationId};

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
    #[error("generation {generation} has table layout {layout}, this release needs {expected}: run `recap rebuild`")]
    Layout {
        /// The live generation.
        generation: GenerationId,
        /// Its layout.
        layout: i32,
        /// The layout this release reads and writes.
        expected: i32,
    },
    /// A migration failed.
    #[error("migrating failed: {0}")]
    Migration(Box<dyn Error + Send + Sync>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
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
        // The migrator's lock belongs to the session: after a failure only closing it gives it back.
        let mut connection = self.operating().acquire().await?;
        connection.close_on_drop();
        migrator().run_direct(None, connection.acquire().await?, false).await?;
        drop(connection);
        super::ensure_live(self.operating()).await?;
        Ok(())
    }

    /// Whether this program and the database fit together. Changes nothing.
    pub async fn check_schema(&self) -> Result<(), SchemaError> {
        check_schema(self.operating()).await
    }
}

/// Whether this program and the database fit together. Changes nothing.
pub(crate) async fn check_schema(pool: &PgPool) -> Result<(), SchemaError> {
    let migrated: bool = sqlx::query_scalar("SELECT to_regclass('recap.migration') IS NOT NULL")
        .fetch_one(pool)
        .await?;
    if !migrated {
        return Err(SchemaError::NotMigrated);
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM recap.migration WHERE success ORDER BY version")
            .fetch_all(pool)
            .await?;
    compare(&applied)?;
    let live: Option<(i32, i32)> =
        sqlx::query_as("SELECT g.id, g.layout FROM recap.live l JOIN recap.generation g ON g.id = l.generation")
            .fetch_optional(pool)
            .await?;
    match live {
        None => Err(SchemaError::NotMigrated),
        Some((_, LAYOUT)) => Ok(()),
        Some((id, layout)) => Err(SchemaError::Layout {
            generation: GenerationId::new(id),
            layout,
            expected: LAYOUT,
        }),
    }
}

fn compare(applied: &[(i64, Vec<u8>)]) -> Result<(), SchemaError> {
    let migrator = migrator();
    let newest_known = migrator.iter().map(|m| m.version).max().unwrap_or(0);
    let newest_applied = applied.iter().map(|(version, _)| *version).max().unwrap_or(0);
    if newest_applied > newest_known {
        return Err(SchemaError::Ahead {
            applied: newest_applied,
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

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("../../migrations");
    migrator.table_name = Cow::Borrowed("recap.migration");
    migrator.create_schemas = Cow::Borrowed(&[Cow::Borrowed("recap")]);
    migrator
}
