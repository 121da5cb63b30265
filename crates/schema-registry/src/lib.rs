//! A schema registry with Confluent's API, as far as reading schemas goes: [`SchemaRegistry`] looks ids up, and keeps what it was told.
//!
//! A schema does not change under its id, so it is asked for once. A registry that is away, asks for a pause or refuses the credentials is waited for: nothing is
//! wrong with the records. One that says it does not have a schema is believed.
//!
//! What a schema decodes is `recap-mapping`'s. Nothing is ever registered. Start reading at [`SchemaRegistry::schemas`], then `client.rs`.

mod arguments;
mod client;
mod registry;

pub use arguments::SchemaRegistryArgs;
pub use client::{Credentials, RegistryAddress};
pub use registry::SchemaRegistry;
