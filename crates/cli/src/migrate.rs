//! `recap migrate`: brings the database up to this release.

use anyhow::Context as _;
use clap::Args;
use recap_store::{DatabaseUrl, Store, StoreOptions};
use secrecy::{ExposeSecret as _, SecretString};

/// Where PostgreSQL is.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// PostgreSQL 15 or newer, `postgres://user:password@host/database`
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// File that holds that URL, in place of it
    #[arg(
        long,
        env = "DATABASE_URL_FILE",
        value_name = "FILE",
        conflicts_with = "database_url"
    )]
    pub database_url_file: Option<String>,
}

impl Database {
    /// The database, as the program of this name. It connects when it is first used.
    pub fn store(&self, program: &str) -> anyhow::Result<Store> {
        Ok(Store::new(&self.options(program)?)?)
    }

    /// How the program of this name connects.
    pub fn options(&self, program: &str) -> anyhow::Result<StoreOptions> {
        let url = self.url()?;
        let url = url.context("no database given: set DATABASE_URL or DATABASE_URL_FILE, or --database-url")?;
        Ok(StoreOptions::new(url, program))
    }

    /// The one that is given.
    pub fn url(&self) -> anyhow::Result<Option<DatabaseUrl>> {
        let (name, url) = match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => ("DATABASE_URL", DatabaseUrl::parse(url.expose_secret())),
            (None, Some(file)) => ("DATABASE_URL_FILE", DatabaseUrl::in_file(file)),
            (None, None) => return Ok(None),
        };
        url.map(Some).map_err(|mistake| anyhow::anyhow!("{name} {mistake}"))
    }
}

/// Create or update recap's schema in PostgreSQL
///
/// Safe to run at any time and by several at once; does nothing when the schema is up to date. The role of `DATABASE_URL`
/// must be allowed to create schemas and the role `recap_query`, which the query service reads as. Run it before the
/// projector and the query service of a new release start: they check the schema and refuse an older one.
///
/// On the coordinator of a Citus cluster the tables are distributed by organization, those of later rebuilds too, and
/// `recap_query` may log in.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    database: Database,
}

/// Runs the migrations.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let store = options.database.store("recap-migrate")?;
    store.migrate().await?;
    let live = store.live_generation().await?;
    println!("up to date; generation {live} is live");
    Ok(())
}
