//! The one foundation of recap's tests, and of `recap dev` and `recap-bench` with them: real servers as child processes, and what a
//! test has to itself on them.
//!
//! Apache Kafka ([`KafkaServer`]) and PostgreSQL ([`PostgresServer`]) each have their own temporary directory and a free port on
//! 127.0.0.1, and are stopped and removed when the handle is dropped, or when the process that started them dies in any way
//! (see `guard.rs`). Tests of one binary share one server of each kind, so they run in parallel; a test that stops or kills a server
//! starts its own. [`clerk`] stands in for a Clerk instance: keys, session tokens, a JWKS endpoint.
//!
//! `RECAP_TEST_DATABASE_URL` names a PostgreSQL server to share in place of a private one, with superuser rights and on a port of 127.0.0.1;
//! databases of tests stay there. Tests that start a server of their own do so all the same.
//!
//! Not for production: one node, no replication, nothing kept. This crate knows neither the projector nor the query service: a test
//! hands in the path of its crate's program. Start reading at [`World`].
//!
//! # A test of each layer
//!
//! Each below `#[tokio::test(flavor = "multi_thread")]`.
//!
//! Of the log: topics and a consumer group of the test's own.
//!
//! ```no_run
//! # use recap_generator::{Config, Log};
//! use recap_testing::{KafkaServer, TestLog};
//!
//! async fn what_is_published_is_there_to_be_read() {
//!     let log = TestLog::create(KafkaServer::shared().await.unwrap(), "published", 2).await.unwrap();
//!     log.publish(&Log::new(Config::small(1, 100)).iter().collect::<Vec<_>>()).await.unwrap();
//!     assert_eq!(log.lag(log.group()).await.unwrap(), 100);
//! }
//! ```
//!
//! Of the store: a migrated database, and the fold in memory to compare its rows with.
//!
//! ```no_run
//! # use recap_generator::{Config, Log};
//! use recap_testing::{PostgresServer, TestDatabase, fold};
//!
//! async fn a_batch_written_twice_is_written_once() {
//!     let records: Vec<_> = Log::new(Config::small(1, 100)).iter().collect();
//!     let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
//!     database.flush(&mut fold(&records)).await;
//!     database.flush(&mut fold(&records)).await;
//!     database.assert_equals_fold(&records).await;
//! }
//! ```
//!
//! Of the projector: both, and its program as a process (`env!("CARGO_BIN_EXE_recap-projector")` where its crate has it).
//!
//! ```no_run
//! # use recap_generator::{Config, Log};
//! # const PROJECTOR: &str = "recap-projector";
//! use recap_testing::{LIMIT, World};
//!
//! async fn a_killed_projector_loses_nothing() {
//!     let records: Vec<_> = Log::new(Config::small(1, 10_000)).iter().collect();
//!     let world = World::builder("killed").partitions(3).build().await;
//!     world.publish(&records).await;
//!     world.projector(PROJECTOR, &[]).kill().await;
//!     let _again = world.projector(PROJECTOR, &["--workers=2"]);
//!     world.caught_up(LIMIT).await;
//!     world.database.assert_equals_fold(&records).await;
//! }
//! ```
//!
//! Of the query service: rows in a database, tokens, and an answer that has to come true.
//!
//! ```no_run
//! # async fn serve(_: &str, _: &recap_testing::clerk::LocalClerk) -> String { String::new() }
//! # use std::time::Duration;
//! use recap_testing::{PostgresServer, TestDatabase, clerk::{LocalClerk, Session}, eventually};
//!
//! async fn a_member_is_answered() {
//!     let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
//!     let clerk = LocalClerk::start().await.unwrap();
//!     let url = serve(&database.url, &clerk).await;
//!     let token = clerk.token(&Session::member("org_acme", "user_ada")).unwrap();
//!     let ask = async || reqwest::Client::new().get(&url).bearer_auth(&token).send().await.unwrap().status();
//!     eventually("the answer", Duration::from_secs(20), ask, |status| status.is_success()).await;
//! }
//! ```
//!
//! Of the operator's tool: its program in an environment that names the log and the database.
//!
//! ```no_run
//! # const RECAP: &str = "recap";
//! use recap_testing::World;
//!
//! async fn an_empty_log_is_rebuilt() {
//!     let world = World::builder("empty").build().await;
//!     let output = world.run(RECAP, &["rebuild"]).await;
//!     assert!(output.status.success(), "{output:?}");
//! }
//! ```

mod acl;
mod certificates;
pub mod clerk;
mod error;
mod eventually;
mod guard;
pub mod http2;
mod kafka;
mod kafka_access;
mod kafka_home;
mod kafka_properties;
mod kafka_topics;
mod lag;
pub mod metrics;
mod oidc;
mod pooler;
pub mod port;
pub mod postgres;
mod postgres_given;
mod postgres_recovery;
mod postgres_standby;
mod process;
mod program;
mod proxy;
mod raw_record;
mod record;
mod schema_registry;
mod test_database;
mod test_log;
mod tls;
mod transaction;
mod unique;
mod wire;
mod world;

pub use acl::{Acl, AclOperation, AclResource};
pub use certificates::{Certificate, CertificateAuthority};
pub use error::ServerError;
pub use eventually::{LIMIT, eventually};
pub use kafka::{KafkaOptions, KafkaServer};
pub use kafka_access::{KafkaAccess, PASSWORD, SCRAM_PASSWORD};
pub use oidc::OidcProvider;
pub use pooler::Pooler;
pub use postgres::{PostgresOptions, PostgresServer};
pub use postgres_recovery::{BaseBackup, WalArchive};
pub use program::Program;
pub use proxy::TcpProxy;
pub use raw_record::RawRecord;
pub use record::{Received, Record};
pub use schema_registry::SchemaRegistryServer;
pub use test_database::{FoldComparison, FoundRow, TestDatabase, fold};
pub use test_log::TestLog;
pub use tls::TlsListener;
pub use world::{World, WorldBuilder};
