//! Real servers as child processes: Apache Kafka ([`KafkaServer`]) and PostgreSQL ([`PostgresServer`]), for tests,
//! `recap dev` and `recap-bench`. Each has its own temporary directory and a free port on 127.0.0.1, and is stopped
//! and removed when its handle is dropped, or when the process that started it dies in any way (see [`guard`]).
//!
//! Tests of one binary share one server of each kind ([`KafkaServer::shared`], [`PostgresServer::shared`]) and take a
//! fresh database or topic prefix each, so they run in parallel. A test that stops or kills a server starts its own.
//!
//! [`clerk`] stands in for a Clerk instance: keys, session tokens, a JWKS endpoint.
//!
//! Not for production: one node, no replication, nothing kept. Start reading at [`postgres`] or [`kafka`].

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

pub use clerk::ClerkError;
pub use error::ServerError;
pub use kafka::{KafkaOptions, KafkaServer};
pub use postgres::{PostgresOptions, PostgresServer};
pub use raw_record::RawRecord;
pub use record::{Received, Record};
