//! Events from records that are not events yet: a jq program a topic, run by [jaq](https://github.com/01mf02/jaq).
//!
//! A program is given one record as `{topic, partition, offset, timestamp, key, headers, value}` and puts out none, one or many events of the contract
//! ([`Mapping`]). A replay must give the same, so a program can read nothing but the record, and what it may use is counted, never timed: an endless
//! program is a refusal, always the same one. [`Mappings`] are those of a log, with a digest that tells whether they have changed.
//!
//! Values that name a schema of a registry are decoded by it before the program sees them ([`Schemas`]); who fetches schemas is not here.
//!
//! This crate is pure but for [`Mappings::load`], which reads files. It is not for what an event means (`recap-events`) and knows no Kafka client. Start
//! reading at [`Mapping::read`], then `interpreter.rs` and `budget.rs`; `schema.rs` for the registry's values.
//!
//! ```
//! use recap_mapping::{Events, Mapped, Mapping, Record};
//!
//! let program = r#".value | {type: "conversation.deleted", data: {orgId: .tenant, conversationId: .chat}}"#;
//! let mapping = Mapping::compile("chats.jq", program)?;
//! let record = Record {
//!     topic: "chats",
//!     partition: 0,
//!     offset: 7,
//!     timestamp: Some(1_767_607_200_000),
//!     key: None,
//!     headers: &[],
//!     value: Some(br#"{"tenant": "org_a", "chat": "c1"}"#),
//!     schemas: None,
//! };
//! let mut memory = Events::default();
//! let Mapped::Events { events, .. } = mapping.read(&record, None, &mut memory) else { unreachable!() };
//! assert_eq!(events[0].org_id, "org_a");
//! # Ok::<(), recap_mapping::Mistakes>(())
//! ```

mod budget;
mod events;
pub mod examples;
mod functions;
mod interpreter;
mod jq;
mod mapping;
mod mappings;
mod places;
mod record;
mod schema;
mod value;

pub use events::Events;
pub use mapping::{MAPPING, Mapped, Mapping, Mistakes, Refusal};
pub use mappings::{ByTopic, Mappings};
pub use record::Record;
pub use schema::{Lookup, ReferencedText, SCHEMA, Schema, SchemaText, SchemaType, Schemas};
