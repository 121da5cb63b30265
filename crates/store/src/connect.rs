//! Finding a server among those that a URL names, and connections that are set up by statements: a pooler drops settings that come with the
//! connection itself.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _, postgres::PgConnectOptions};

use crate::{
    DatabaseUrl,
    database_url::{Server, Target},
    error::DatabaseError,
    lease::{self, Lease, within},
    placement::{HAS_CITUS, Placement},
    sql::sql,
};

/// How long one server may take to be connected to and set up.
const CONNECT: Duration = Duration::from_secs(4);

/// How connections of one kind are made.
#[derive(Debug)]
pub(crate) struct Connector {
    url: DatabaseUrl,
    application_name: String,
    set_up: SetUp,
}

/// What is run on each new connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetUp {
    /// Ends with a semicolon, unless it is empty.
    pub statements: String,
    /// What is run after it on the coordinator of a cluster.
    pub on_cluster: &'static str,
}

/// Why no server can be used; the last cause, with its server.
#[derive(Debug, thiserror::Error)]
#[error("{server}: {cause}")]
struct Unreachable {
    server: String,
    cause: String,
}

impl Connector {
    pub fn new(url: &DatabaseUrl, application_name: &str, set_up: SetUp) -> Self {
        Self {
            url: url.clone(),
            application_name: application_name.to_owned(),
            set_up,
        }
    }

    /// How to connect to the first server, and whether another may be wanted.
    pub fn first(&self) -> Result<(PgConnectOptions, bool), DatabaseError> {
        let servers = self.url.servers().map_err(configuration)?;
        let has_choice = servers.all.len() > 1 || servers.target != Target::Any;
        let first = servers
            .all
            .first()
            .ok_or_else(|| configuration("names no host".to_owned()))?;
        Ok((self.named(first), has_choice))
    }

    fn named(&self, server: &Server) -> PgConnectOptions {
        let options = server.options.clone().extra_float_digits(None);
        options.application_name(&self.application_name)
    }

    /// Connects to the first server that is as wanted; passwords and certificates are read anew.
    pub async fn find(&self) -> Result<PgConnectOptions, sqlx::Error> {
        let servers = self.url.servers().map_err(sqlx::Error::config_text)?;
        let targets = match servers.target {
            Target::PreferStandby => vec![Target::Standby, Target::Any],
            target => vec![target],
        };
        let mut last = None;
        for target in targets {
            for server in &servers.all {
                let options = self.named(server);
                match within(CONNECT, self.try_one(&options, target)).await {
                    Ok(()) => return Ok(options),
                    Err(error) => {
                        let cause = self.explain(&error);
                        last = Some(Unreachable {
                            server: server.name.clone(),
                            cause,
                        });
                    }
                }
            }
        }
        Err(match last {
            Some(last) => sqlx::Error::Io(io::Error::other(last)),
            None => sqlx::Error::config_text("names no host".to_owned()),
        })
    }

    async fn try_one(&self, options: &PgConnectOptions, target: Target) -> Result<(), sqlx::Error> {
        let mut connection = options.connect().await?;
        self.set_up.run(&mut connection).await?;
        if target != Target::Any {
            let row = sqlx::raw_sql("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")
                .fetch_one(&mut connection)
                .await?;
            let (is_standby, is_read_only): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
            let fits = match target {
                Target::Any | Target::PreferStandby => true,
                Target::ReadWrite => !is_read_only,
                Target::ReadOnly => is_read_only,
                Target::Primary => !is_standby,
                Target::Standby => is_standby,
            };
            if !fits {
                let text = format!("is not {target:?}, which target_session_attrs wants");
                return Err(sqlx::Error::Io(io::Error::other(text)));
            }
        }
        Ok(())
    }

    /// What to do about an error that setting up a connection ends in.
    fn explain(&self, error: &sqlx::Error) -> String {
        let text = error.to_string();
        let role = "the role recap_query";
        if self.set_up.statements.contains("SET ROLE")
            && text.contains("does not exist")
            && text.contains("recap_query")
        {
            return format!("{role} does not exist: run `recap migrate`");
        }
        if text.contains("permission denied to set role") {
            return format!("{role} cannot be taken on: GRANT recap_query TO the login of DATABASE_URL");
        }
        if text.contains("UnsupportedCertVersion") {
            return "its certificate is an X.509 v1 one, which is not supported: renew it, or set sslmode=disable"
                .to_owned();
        }
        text
    }
}

fn configuration(text: String) -> DatabaseError {
    sqlx::Error::config_text(text).into()
}

trait ConfigText {
    fn config_text(text: String) -> Self;
}

impl ConfigText for sqlx::Error {
    fn config_text(text: String) -> Self {
        Self::Configuration(text.into())
    }
}

impl SetUp {
    /// Answers where rows are.
    async fn run(&self, connection: &mut PgConnection) -> Result<Placement, sqlx::Error> {
        let row = sqlx::raw_sql(sql(format!("{}{HAS_CITUS}", self.statements)))
            .fetch_one(&mut *connection)
            .await?;
        if !row.try_get::<bool, _>(0)? {
            return Ok(Placement::Server);
        }
        sqlx::raw_sql(self.on_cluster).execute(connection).await?;
        Ok(Placement::Cluster)
    }
}

/// The connections of one kind; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub connections: PgPool,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connector: Connector,
    max_connections: u32,
    /// The server is to be looked for before the next connection is used.
    searches: AtomicBool,
    /// It was seen that each connection has a session of its own.
    has_sessions: AtomicBool,
    /// The last connection was made to the coordinator of a cluster.
    is_cluster: Arc<AtomicBool>,
}

impl Pool {
    /// A pool that connects when it is first used.
    pub fn new(connector: Connector, max_connections: u32, acquire_timeout: Duration) -> Result<Self, DatabaseError> {
        let (options, has_choice) = connector.first()?;
        let set_up = connector.set_up.clone();
        let is_cluster = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_cluster);
        let connections = lease::pool(max_connections, acquire_timeout)
            .after_connect(move |connection, _| {
                let (set_up, seen) = (set_up.clone(), Arc::clone(&seen));
                Box::pin(async move {
                    let placement = set_up.run(connection).await?;
                    seen.store(placement == Placement::Cluster, Ordering::Relaxed);
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Ok(Self {
            connections,
            inner: Arc::new(Inner {
                connector,
                max_connections,
                searches: AtomicBool::new(has_choice),
                has_sessions: AtomicBool::new(false),
                is_cluster,
            }),
        })
    }

    /// A connection. An error says which server it was and why, as far as that is not that all connections are in use.
    pub async fn lease(&self) -> Result<Lease, sqlx::Error> {
        if self.inner.searches.load(Ordering::Relaxed) {
            self.search().await?;
        }
        match Lease::of(&self.connections).await {
            Ok(lease) => Ok(lease),
            Err(sqlx::Error::PoolTimedOut) if self.is_exhausted() => {
                let text = format!("all {} connections are in use", self.inner.max_connections);
                Err(sqlx::Error::Io(io::Error::other(text)))
            }
            Err(sqlx::Error::PoolClosed) => Err(sqlx::Error::PoolClosed),
            Err(_) => {
                self.search().await?;
                Lease::of(&self.connections).await
            }
        }
    }

    /// Where the rows are, once there is a connection.
    pub fn placement(&self) -> Placement {
        if self.inner.is_cluster.load(Ordering::Relaxed) {
            Placement::Cluster
        } else {
            Placement::Server
        }
    }

    fn is_exhausted(&self) -> bool {
        self.connections.size() >= self.inner.max_connections && self.connections.num_idle() == 0
    }

    async fn search(&self) -> Result<(), sqlx::Error> {
        self.connections.set_connect_options(self.inner.connector.find().await?);
        self.inner.searches.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The server answered as one that is not wanted any more: read-only, or shutting down.
    pub fn distrust(&self) {
        self.inner.searches.store(true, Ordering::Relaxed);
    }

    /// Whether connections are sessions: behind a pooler in transaction mode, another connection has the same backend. Two connections are
    /// opened for it, the first time.
    pub async fn has_sessions(&self) -> Result<bool, sqlx::Error> {
        if self.inner.has_sessions.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let options = self.inner.connector.find().await?;
        let asking = async {
            let mut one = options.connect().await?;
            let mut two = options.connect().await?;
            let mut shared = false;
            // A pooler gives the server that was used last.
            for _ in 0..3 {
                shared |= backend(&mut one).await? == backend(&mut two).await?;
            }
            let _closing = (one.close().await, two.close().await);
            Ok::<_, sqlx::Error>(shared)
        };
        let shared = within(CONNECT, asking).await?;
        self.inner.has_sessions.store(!shared, Ordering::Relaxed);
        Ok(!shared)
    }
}

/// Asked without a prepared statement, which is what fails behind such a pooler.
pub(crate) async fn backend(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()")
        .fetch_one(connection)
        .await?
        .try_get(0)
}
