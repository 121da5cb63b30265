//! Rows beside the state: tool calls and feedback. Only of conversations whose row this transaction has
//! just written, and only what is current in it, so no guard is needed.

use std::collections::BTreeMap;

use recap_summary::Payload;
use sqlx::PgConnection;

use super::{
    feedback::{self, Feedback},
    tool_calls::{self, Erasure, Replacement, ToolCall},
};
use crate::{ConversationKey, Entry, placement::Placement, sql::chunks};

/// What was written.
pub(crate) struct Written {
    pub(crate) rows: u64,
    /// Started tool calls that took the place of another message's.
    pub(crate) reused_ids: u64,
}

/// Writes the payloads of these entries.
pub(crate) async fn write(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    entries: &[&Entry],
) -> Result<Written, sqlx::Error> {
    let Rows {
        erasures,
        calls,
        feedback,
        replacements,
        mut reused_ids,
    } = Rows::of(entries.iter().copied());
    let rows = calls.len() + feedback.len();
    for chunk in chunks(&erasures, Erasure::bytes) {
        for erasures in placement.statements(chunk, Erasure::org_id) {
            tool_calls::erase(connection, placement, schema, erasures).await?;
        }
    }
    if !replacements.is_empty() {
        reused_ids += tool_calls::count_reused(connection, placement, schema, &replacements).await?;
    }
    for chunk in chunks(&calls, ToolCall::bytes) {
        tool_calls::write(connection, schema, chunk).await?;
    }
    for chunk in chunks(&feedback, Feedback::bytes) {
        feedback::write(connection, schema, chunk).await?;
    }
    Ok(Written {
        rows: u64::try_from(rows).unwrap_or(u64::MAX),
        reused_ids,
    })
}

/// The payloads of some entries as rows, those of a table in the order of its key.
pub(crate) struct Rows<'e> {
    /// To be done before calls are written.
    pub(crate) erasures: Vec<Erasure<'e>>,
    pub(crate) calls: Vec<ToolCall<'e>>,
    pub(crate) feedback: Vec<Feedback<'e>>,
    /// Started halves that rows may hold another of.
    pub(crate) replacements: Vec<Replacement<'e>>,
    /// Started halves that took the place of another message's before they came here.
    pub(crate) reused_ids: u64,
}

impl<'e> Rows<'e> {
    /// Of entries in the order of their keys.
    pub(crate) fn of(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut calls: BTreeMap<(&ConversationKey, &str), ToolCall<'_>> = BTreeMap::new();
        let mut erasures = Vec::new();
        let mut feedback = Vec::new();
        let mut replacements = Vec::new();
        let mut reused_ids = 0;
        for entry in entries {
            for payload in entry.delta.payloads.iter() {
                if entry.delta.replaces(payload) {
                    replacements.extend(Replacement::of(&entry.key, payload));
                }
                if let Payload::ToolStarted { tool_call_id, .. } = payload {
                    reused_ids += entry.delta.payloads.reuses(tool_call_id);
                }
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
            replacements,
            reused_ids,
        }
    }
}
