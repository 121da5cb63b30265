//! The handle that writes and operates a database.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{error::DatabaseError, statistics::Flushed};

/// Connections for operating on generations: a rebuild holds a lock and makes indexes while a comparison reads five tables.
const OPERATING_CONNECTIONS: u32 = 8;

/// How a program connects to its database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where PostgreSQL is, with user and password.
    pub database_url: SecretString,
    /// What PostgreSQL calls the connections (`pg_stat_activity`): the program's name.
    pub application_name: String,
    /// The most connections open at a time; a flush or a snapshot takes one.
    pub max_connections: u32,
    /// How long to wait for a free one.
    pub acquire_timeout: Duration,
    /// How long one statement of a flush or of a snapshot may take. Operating on generations takes as long as it takes.
    pub statement_timeout: Duration,
}

impl StoreOptions {
    /// Four connections, awaited for up to 30 s; a minute for a statement.
    pub fn new(database_url: impl Into<SecretString>, application_name: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            application_name: application_name.into(),
            max_connections: 4,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_mins(1),
        }
    }

    /// What every connection of the program has in common.
    pub(crate) fn connect_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        let options = self.database_url.expose_secret().parse::<PgConnectOptions>()?;
        Ok(options.application_name(&self.application_name))
    }

    /// The statement timeout, as PostgreSQL's setting has it.
    pub(crate) fn statement_timeout(&self) -> String {
        format!("{}ms", self.statement_timeout.as_millis())
    }

    /// A pool that connects when it is first used.
    pub(crate) fn pool(&self, max_connections: u32) -> PgPoolOptions {
        PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(self.acquire_timeout)
    }
}

/// A database on the primary, as the owner of the tables: flushes batches, makes, compares and switches generations, migrates.
///
/// Flushes have connections of their own, whose planner settings fit nothing else. Each kind connects when it is first used, so
/// the database may be away when a store is made. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: StoreOptions,
    connect: PgConnectOptions,
    flushing: OnceLock<PgPool>,
    operating: OnceLock<PgPool>,
    flushed: Flushed,
}

impl Store {
    /// Prepares to connect. Fails when `database_url` is no URL of PostgreSQL.
    pub fn new(options: &StoreOptions) -> Result<Self, DatabaseError> {
        Ok(Self {
            inner: Arc::new(Inner {
                options: options.clone(),
                connect: options.connect_options()?,
                flushing: OnceLock::new(),
                operating: OnceLock::new(),
                flushed: Flushed::default(),
            }),
        })
    }

    /// For flushes.
    pub(crate) fn flushing(&self) -> &PgPool {
        let Inner { options, connect, .. } = &*self.inner;
        self.inner.flushing.get_or_init(|| {
            let connect = connect.clone().options([
                ("statement_timeout", options.statement_timeout().as_str()),
                // A projector that is stopped in a transaction must not hold its rows for ever.
                ("idle_in_transaction_session_timeout", "10s"),
                ("jit", "off"),
                // Lookups by primary key, however young the table's statistics are.
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
            ]);
            options.pool(options.max_connections).connect_lazy_with(connect)
        })
    }

    /// For everything else.
    pub(crate) fn operating(&self) -> &PgPool {
        let Inner { options, connect, .. } = &*self.inner;
        self.inner
            .operating
            .get_or_init(|| options.pool(OPERATING_CONNECTIONS).connect_lazy_with(connect.clone()))
    }

    /// Rows that this process has flushed.
    pub(crate) fn flushed(&self) -> &Flushed {
        &self.inner.flushed
    }

    /// Connections for flushes that are open, and of those the idle ones.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        let pool = self.inner.flushing.get();
        pool.map_or((0, 0), |pool| (pool.size(), pool.num_idle()))
    }

    /// Closes all connections once they are given back.
    pub async fn close(&self) {
        for pool in [&self.inner.flushing, &self.inner.operating] {
            if let Some(pool) = pool.get() {
                pool.close().await;
            }
        }
    }
}
