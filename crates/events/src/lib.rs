//! The event contract: what producers put on Kafka, decoded and validated. `CONTRACT.md` in this crate's folder is the
//! contract in words: transport, types, effects, laws and reasons.
//!
//! [`decode`] turns one Kafka record (value and headers, in either `CloudEvents` mode) into an
//! [`Event`], or says why it is skipped or refused. Everything is borrowed from the record where it
//! can be. This crate is pure: no I/O, no clock, no async; what an event *does* to a conversation is
//! `recap-summary`'s business.
//!
//! Start with [`decode`] and [`Event`]; every refusal is a [`Reason`].

mod content_hash;
mod data;
mod decode;
mod event;
mod event_type;
mod json;
mod media_type;
mod outcome;
mod owned;
mod raw_json;
mod reader;
pub mod schema;
mod time;
mod time_ahead;
mod usage;

pub use content_hash::{ERASED_CONTENT, text_content_hash};
pub use decode::decode;
pub use event::{
    AgentProfile, Body, Change, ConversationFields, Event, FeedbackSubmitted, Message, OrderKey, ToolCallFinished,
    ToolCallStarted, UserProfile,
};
pub use event_type::EventType;
pub use outcome::{Decoded, Invalid, Reason, Skipped};
pub use raw_json::{NotJson, RawJson};
pub use time::{Micros, Millis};
pub use time_ahead::MaxTimeAhead;
pub use usage::Usage;
