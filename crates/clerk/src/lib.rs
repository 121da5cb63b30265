//! The Clerk bridge: what Clerk knows of users and memberships, as `user.upserted` and `user.deleted` events of each organization.
//!
//! [`serve()`] receives Clerk's webhooks, [`backfill()`] reads the Backend API; both publish to the topic of users. They hold nothing that
//! is not in Clerk or in that topic, so any number may run at once and any may be killed.
//!
//! **Why the result is right.** A profile in an organization is made of two objects of Clerk, the user and the membership, each with an
//! `updated_at`. The order key of their event is (the later `updated_at`, the earlier one): whoever read one of them too early has a
//! lesser key than whoever read both late, so the last state wins however reads, webhooks and pages overlap (`profile_event.rs`, where it
//! is a property test). The user is always read before the membership: a membership that is seen existed then, so an event never has a
//! later time than the end of its membership, whose `user.deleted` therefore wins.
//!
//! The pure part: [`object`], [`webhook`], [`metadata`], [`profile_event`], [`directory`]. Start reading at `bridge.rs`: what each webhook
//! does.

mod api;
mod arguments;
pub mod backfill;
mod bridge;
pub mod directory;
mod follower;
mod listener;
pub mod metadata;
pub mod object;
pub mod profile_event;
mod receiver;
mod sender;
mod serve;
mod signature;
pub mod webhook;

pub use api::{Api, ApiError};
pub use arguments::{BackfillArgs, BackfillSettings, ServeArgs, ServeSettings};
pub use backfill::{BackfillError, Observer, Report, backfill};
pub use serve::{RunningBridge, ServeError, serve};
