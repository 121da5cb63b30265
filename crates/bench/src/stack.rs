//! The servers of a benchmark: started for it with the same settings for everyone, or given.

use std::time::Duration;

use anyhow::Context as _;
use recap_log::{Cluster, Log, Topic};
use recap_store::{Store, StoreOptions};
use recap_testing::{KafkaOptions, KafkaServer, PostgresOptions, PostgresServer};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Settings of the PostgreSQL that is started here: durable, and sized as for a machine of a few GiB.
const POSTGRES_SETTINGS: [(&str, &str); 6] = [
    ("shared_buffers", "2GB"),
    ("effective_cache_size", "6GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("maintenance_work_mem", "512MB"),
    ("wal_compression", "lz4"),
];

/// The settings of the PostgreSQL that is started here, for a report.
pub fn postgres_settings() -> String {
    POSTGRES_SETTINGS
        .map(|(name, value)| format!("{name} = {value}"))
        .join(", ")
}

/// PostgreSQL, and a database for each thing measured.
pub struct Databases {
    /// Any database of the server, to create others from.
    first: String,
    names: std::cell::Cell<u32>,
    _server: Option<PostgresServer>,
}

impl Databases {
    /// The given server, or one of its own.
    pub async fn start(given: Option<&SecretString>) -> anyhow::Result<Self> {
        if let Some(url) = given {
            return Ok(Self {
                first: url.expose_secret().to_owned(),
                names: std::cell::Cell::new(0),
                _server: None,
            });
        }
        let settings = POSTGRES_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let server = PostgresServer::start_with(PostgresOptions {
            fsync: true,
            settings: settings.to_vec(),
        })
        .await?;
        Ok(Self {
            first: server.url("postgres"),
            names: std::cell::Cell::new(0),
            _server: Some(server),
        })
    }

    /// A new, empty database.
    pub async fn create(&self) -> anyhow::Result<Database> {
        self.names.set(self.names.get() + 1);
        let name = format!("recap_bench_{}", self.names.get());
        self.execute(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await?;
        self.execute(format!("CREATE DATABASE {name}")).await?;
        let mut url = reqwest::Url::parse(&self.first).context("DATABASE_URL is no URL")?;
        url.set_path(&name);
        Ok(Database { name, url: url.into() })
    }

    /// Removes a database: the next one shall not share memory and disk with it.
    pub async fn drop(&self, database: Database) -> anyhow::Result<()> {
        self.execute(format!("DROP DATABASE {} WITH (FORCE)", database.name))
            .await?;
        self.execute(String::from("CHECKPOINT")).await
    }

    /// `PostgreSQL 17.2`
    pub async fn version(&self) -> anyhow::Result<String> {
        let mut connection = PgConnection::connect(&self.first).await?;
        let version: String = sqlx::query_scalar("SHOW server_version")
            .fetch_one(&mut connection)
            .await?;
        Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()))
    }

    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.first).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

/// One database.
#[derive(Debug)]
pub struct Database {
    name: String,
    pub url: String,
}

impl Database {
    /// The database as recap uses it.
    pub fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::new(&StoreOptions {
            statement_timeout: Duration::from_mins(5),
            ..StoreOptions::new(&*self.url, "recap-bench")
        })?)
    }

    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.url).await?)
    }

    /// Where the write-ahead log is, in bytes.
    pub async fn wal_position(&self) -> anyhow::Result<f64> {
        let statement = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8";
        Ok(sqlx::query_scalar(statement)
            .fetch_one(&mut self.connect().await?)
            .await?)
    }
}

/// The broker.
pub struct Broker {
    pub bootstrap_servers: String,
    server: Option<KafkaServer>,
}

impl Broker {
    /// The given brokers, or one of its own.
    pub async fn start(given: Option<&str>) -> anyhow::Result<Self> {
        if let Some(servers) = given {
            return Ok(Self {
                bootstrap_servers: servers.to_owned(),
                server: None,
            });
        }
        let server = KafkaServer::start_with(KafkaOptions {
            heap_mib: 1_024,
            quick_start: false,
            ..KafkaOptions::default()
        })
        .await?;
        Ok(Self {
            bootstrap_servers: server.bootstrap().to_owned(),
            server: Some(server),
        })
    }

    pub fn cluster(&self) -> Cluster {
        Cluster::at(self.bootstrap_servers.as_str())
    }

    /// The sample's topics, and the group of the projector under test.
    pub fn log(&self, group: &str) -> Log {
        Log::new(self.cluster(), Topic::ALL.map(Topic::name), group)
    }

    /// Creates a topic on the broker started here; a given one has its own ways.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> anyhow::Result<()> {
        if let Some(server) = &self.server {
            server.topic(name, partitions).await?;
        }
        Ok(())
    }
}

/// A count, to be divided.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub const fn float(number: u64) -> f64 {
    number as f64
}
