//! The handle that writes and operates a database.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;

use crate::{
    DatabaseUrl, OrgBuckets,
    changes::Notifier,
    connect::{Connector, Pool, SetUp},
    error::DatabaseError,
    lease::{GRACE, Lease},
    placement::ON_CLUSTER,
    statistics::Flushed,
    write::{
        busy::Busy,
        sessions::{Session, Sessions},
    },
};

/// Connections for operating on generations: a rebuild holds a lock and makes indexes while a comparison reads five tables.
const OPERATING_CONNECTIONS: u32 = 8;

/// What the planner is told in a flush: rows are looked up by primary key, however young the table's statistics are.
pub(crate) const WRITER_SETTINGS: [(&str, &str); 4] = [
    ("jit", "off"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// How a program connects to its database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where PostgreSQL is, with user and password.
    pub database_url: DatabaseUrl,
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
    pub fn new(database_url: impl Into<DatabaseUrl>, application_name: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            application_name: application_name.into(),
            max_connections: 4,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_mins(1),
        }
    }

    /// How long this side waits for an answer, should the server not keep to its own limit.
    pub(crate) fn answer_timeout(&self) -> Duration {
        self.statement_timeout + GRACE
    }

    /// A pool whose connections are set up by these statements.
    pub(crate) fn pool(
        &self,
        max_connections: u32,
        settings: &[(&str, &str)],
        then: &str,
        on_cluster: &'static str,
    ) -> Result<Pool, DatabaseError> {
        let settings = settings.iter().map(|(name, value)| format!("SET {name} = '{value}'; "));
        let set_up = SetUp {
            statements: settings.collect::<String>() + then,
            on_cluster,
        };
        let connector = Connector::new(&self.database_url, &self.application_name, set_up);
        Pool::new(connector, max_connections, self.acquire_timeout)
    }

    /// The statement timeout, as PostgreSQL's setting has it.
    pub(crate) fn statement_timeout(&self) -> String {
        format!("{}ms", self.statement_timeout.as_millis())
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
    flushing: Pool,
    operating: Pool,
    flushed: Flushed,
    sessions: Sessions,
    busy: Busy,
    notifier: Arc<Notifier>,
}

impl Store {
    /// Prepares to connect. Fails when `database_url` is no URL of PostgreSQL.
    pub fn new(options: &StoreOptions) -> Result<Self, DatabaseError> {
        let timeout = options.statement_timeout();
        let own = [
            ("statement_timeout", timeout.as_str()),
            // A projector that is stopped in a transaction must not hold its rows for ever.
            ("idle_in_transaction_session_timeout", "10s"),
            ("plan_cache_mode", "force_generic_plan"),
        ];
        let settings = [&own[..], &WRITER_SETTINGS].concat();
        let flushing = options.pool(options.max_connections, &settings, "", ON_CLUSTER)?;
        // A session that lost its client in a transaction must not hold the lock of generations for ever.
        let settings = [("idle_in_transaction_session_timeout", "30s")];
        let operating = options.pool(OPERATING_CONNECTIONS, &settings, "", "")?;
        Ok(Self {
            inner: Arc::new(Inner {
                options: options.clone(),
                flushing,
                operating,
                flushed: Flushed::default(),
                sessions: Sessions::default(),
                busy: Busy::default(),
                notifier: Arc::default(),
            }),
        })
    }

    /// For flushes.
    pub(crate) fn flushing(&self) -> &Pool {
        &self.inner.flushing
    }

    /// For everything else.
    pub(crate) fn operating(&self) -> &PgPool {
        &self.inner.operating.connections
    }

    /// Rows that this process has flushed.
    pub(crate) fn flushed(&self) -> &Flushed {
        &self.inner.flushed
    }

    /// A connection for everything else.
    pub(crate) async fn lease(&self) -> Result<Lease, sqlx::Error> {
        self.inner.operating.lease().await
    }

    /// Refuses a pooler that gives each transaction another session.
    pub(crate) async fn has_sessions(&self) -> Result<bool, sqlx::Error> {
        self.inner.operating.has_sessions().await
    }

    /// How long one step of a flush waits for an answer.
    pub(crate) fn answer_timeout(&self) -> Duration {
        self.inner.options.answer_timeout()
    }

    /// Announces a flush that is committed.
    pub(crate) fn announce(&self, session: &Session<'_>, touched: &OrgBuckets) {
        let notifier = &self.inner.notifier;
        notifier.announce(self.flushing(), session.id, session.attempt, touched);
    }

    /// The flushes of this process.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// The conversations that this process may make busy.
    pub(crate) fn busy(&self) -> &Busy {
        &self.inner.busy
    }

    /// Connections for flushes that are open, and of those the idle ones.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        let pool = &self.inner.flushing.connections;
        (pool.size(), pool.num_idle())
    }

    /// Closes all connections once everything is announced and they are given back.
    pub async fn close(&self) {
        self.inner.notifier.finish().await;
        for pool in [&self.inner.flushing, &self.inner.operating] {
            pool.connections.close().await;
        }
    }
}
