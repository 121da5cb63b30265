//! `recap` as a process, beside projectors and a query service, on Apache Kafka and PostgreSQL: one file a subcommand, and the
//! contract's own example through every part.

mod clerk;
mod contract;
mod dead_letters;
mod dev;
mod example_producers;
mod golden;
mod kafka_rights;
mod mappings;
mod producers;
mod rebuild;
mod schema_registry;
mod secured;
mod secured_kafka;
mod services;
mod silence;

const RECAP: &str = env!("CARGO_BIN_EXE_recap");
