//! The query service through HTTP, against a real PostgreSQL and a local Clerk instance. One file a topic.

#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

mod auth;
mod caching;
mod changes;
mod console;
mod endurance;
mod figures;
mod formats;
mod golden;
mod isolation;
mod limits;
mod nesting;
mod one;
mod operations;
mod parameters;
mod replica;
mod sorting;
mod tokens;
