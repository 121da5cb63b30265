//! What tests stand on, and `recap dev` and `recap-bench` with them: real servers as child processes, and a log of a test's own.
//!
//! Apache Kafka ([`KafkaServer`]) and PostgreSQL ([`PostgresServer`]) each have their own temporary directory and a free port on
//! 127.0.0.1, and are stopped and removed when the handle is dropped, or when the process that started them dies in any way
//! (see [`guard`]). Tests of one binary share one server of each kind ([`KafkaServer::shared`], [`PostgresServer::shared`]) and
//! take a database and a [`TestLog`] of their own, so they run in parallel. A test that stops or kills a server starts its own.
//! [`clerk`] stands in for a Clerk instance: keys, session tokens, a JWKS endpoint.
//!
//! Not for production: one node, no replication, nothing kept. Start reading at [`TestLog`], then [`kafka`] or [`postgres`].

pub mod clerk;
pub mod error;
pub mod guard;
pub mod kafka;
pub mod kafka_home;
pub mod lag;
pub mod port;
pub mod postgres;
mod process;
pub mod raw_record;
pub mod record;
mod test_log;

pub use clerk::ClerkError;
pub use error::ServerError;
pub use kafka::{KafkaOptions, KafkaServer};
pub use postgres::{PostgresOptions, PostgresServer};
pub use raw_record::RawRecord;
pub use record::{Received, Record};
pub use test_log::TestLog;
