//! Rows to bytes. Everything is written straight into a buffer, in the contract's order of fields.

mod csv;
mod json;
mod scalars;

pub(crate) use csv::{csv_header, csv_row};
pub use json::json_conversation;
pub(crate) use json::{json_row, json_stats};
