//! The query service: answers dashboards over HTTP from the rows the projector keeps.
//!
//! It checks who asks (Clerk session tokens), what is asked (strict parameters), reads through `recap-store`, renders, and keeps rendered
//! answers for as long as they are provably current. It holds no SQL and writes nothing.
//!
//! Start reading at [`serve`], then `router.rs` for the layers a request passes and `get_interactions.rs` for the main endpoint. The rule of
//! who sees what is in `scope.rs`, the reason why a cached answer is never wrong in `cache.rs` and `feed.rs`.

mod answer;
mod auth;
mod cache;
mod compression;
pub mod config;
mod cursor;
mod docs;
mod feed;
mod get_interactions;
mod get_stats;
mod health;
mod limits;
mod list;
mod negotiation;
mod openapi;
mod parameters;
mod patience;
mod problem;
mod render;
mod request;
mod router;
mod scope;
mod server;
mod service;
mod stream;

pub use config::{Config, ConfigError, QueryArgs};
pub use parameters::Exclude;
pub use render::json_conversation;
pub use server::{RunningServer, ServeError, serve};
