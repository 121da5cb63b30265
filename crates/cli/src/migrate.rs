//! `recap migrate`: brings the database up to this release.

use anyhow::Context as _;
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{PgPool, postgres::PgPoolOptions};

/// Where PostgreSQL is.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// PostgreSQL 15 or newer, `postgres://user:password@host/database`
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
}

impl Database {
    /// Connects; the error names the host's answer, never the password.
    pub async fn connect(&self) -> anyhow::Result<PgPool> {
        let url = self
            .database_url
            .as_ref()
            .context("no database given: set DATABASE_URL or --database-url")?;
        PgPoolOptions::new()
            .max_connections(4)
            .connect(url.expose_secret())
            .await
            .context("PostgreSQL can't be reached")
    }
}

/// Create or update recap's schema in PostgreSQL
///
/// Safe to run at any time and by several at once; does nothing when the schema is up to date. The role of `DATABASE_URL`
/// must be allowed to create schemas and the role `recap_query`, which the query service reads as.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    database: Database,
}

/// Runs the migrations.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let pool = options.database.connect().await?;
    recap_store::migrate(&pool).await?;
    let live = recap_store::live_generation(&pool).await?;
    println!("up to date; generation {live} is live");
    Ok(())
}
