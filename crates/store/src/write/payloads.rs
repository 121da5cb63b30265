//! Rows beside the state: tool calls and feedback. Only of conversations whose row this transaction has
//! just written, and only what is current in it, so no guard is needed.

use std::collections::BTreeMap;

use recap_summary::Payload;
use sqlx::PgConnection;

use super::{
    feedback::{self, Feedback},
    tool_calls::{self, Erasure, ToolCall},
};
use crate::{ConversationKey, Entry, sql::chunks};

/// Writes the payloads of these entries. Returns how many rows.
pub(crate) async fn write(connection: &mut PgConnection, schema: &str, entries: &[&Entry]) -> Result<u64, sqlx::Error> {
    let Rows {
        erasures,
        calls,
        feedback,
    } = Rows::of(entries.iter().copied());
    let written = calls.len() + feedback.len();
    for chunk in chunks(&erasures, Erasure::bytes) {
        tool_calls::erase(connection, schema, chunk).await?;
    }
    for chunk in chunks(&calls, ToolCall::bytes) {
        tool_calls::write(connection, schema, chunk).await?;
    }
    for chunk in chunks(&feedback, Feedback::bytes) {
        feedback::write(connection, schema, chunk).await?;
    }
    Ok(u64::try_from(written).unwrap_or(u64::MAX))
}

/// The payloads of some entries as rows, those of a table in the order of its key.
pub(crate) struct Rows<'e> {
    /// To be done before calls are written.
    pub(crate) erasures: Vec<Erasure<'e>>,
    pub(crate) calls: Vec<ToolCall<'e>>,
    pub(crate) feedback: Vec<Feedback<'e>>,
}

impl<'e> Rows<'e> {
    /// Of entries in the order of their keys.
    pub(crate) fn of(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut calls: BTreeMap<(&ConversationKey, &str), ToolCall<'_>> = BTreeMap::new();
        let mut erasures = Vec::new();
        let mut feedback = Vec::new();
        for entry in entries {
            for payload in entry.delta.payloads.iter() {
                match payload {
                    Payload::ToolDeleted { tool_call_id, .. } => {
                        let shown = entry.delta.state.shown_halves(tool_call_id);
                        erasures.push(Erasure::new(&entry.key, tool_call_id, shown));
                    }
                    Payload::Feedback { feedback_id, row, .. } => {
                        feedback.push(Feedback::new(&entry.key, feedback_id, row.as_ref()));
                    }
                    half => calls
                        .entry((&entry.key, half.id()))
                        .or_insert_with(|| ToolCall::new(&entry.key, half.id()))
                        .add(half),
                }
            }
        }
        Self {
            erasures,
            calls: calls.into_values().collect(),
            feedback,
        }
    }
}
