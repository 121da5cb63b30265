//! The query service: answers dashboards over HTTP from the rows the projector keeps.
//!
//! It checks who asks (Clerk session tokens), what is asked (strict parameters), reads through `recap-store`, renders, and keeps rendered
//! answers for as long as they are provably current. It holds no SQL and writes nothing.
//!
//! What is answered to what is the HTTP contract, `CONTRACT.md` beside this crate's manifest.
//!
//! Start reading at `router.rs` for the layers a request passes and `endpoints/get_interactions.rs` for the main endpoint. What can be asked
//! is declared in `parameters/`, what is answered in `fields/`. The rule of who sees what is in `scope.rs`, the reason why a cached answer
//! is never wrong in `cache.rs` and `cache/feed.rs`. [`serve()`] starts and stops it all.

mod auth;
mod cache;
pub mod config;
mod conversations;
mod database_check;
mod endpoints;
mod fields;
mod http;
mod openapi;
mod parameters;
mod router;
mod scope;
mod serve;
mod service;

pub use config::{Config, QueryArgs};
pub use fields::json_conversation;
pub use parameters::Exclude;
pub use serve::{RunningServer, serve};
pub use service::ServeError;
