//! Rows get their tool calls and their feedback, those of a whole page at once.

use std::collections::HashMap;

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    filter::Include,
    items::{Feedback, ToolCall, feedback, tool_calls},
    memory::Memory,
    row::Row,
};
use crate::{ReadError, sql::sql};

/// Gives rows the tool calls and the feedback that are asked for.
pub(crate) async fn attach(
    connection: &mut PgConnection,
    schema: &str,
    org_id: &str,
    include: Include,
    rows: &mut [Row],
    memory: &mut dyn Memory,
) -> Result<(), ReadError> {
    if include.tool_calls {
        let owners = owners(rows, |row| row.columns.tool_call_count > 0);
        let statement = tool_calls(schema);
        let mut items = read(connection, statement, org_id, &owners, memory.left());
        while let Some(item) = items.try_next().await? {
            let call = ToolCall::read(&item)?;
            take(memory, call.bytes())?;
            if let Some(row) = rows.get_mut(owner(&owners, &item)?) {
                row.tool_calls.push(call);
            }
        }
        drop(items);
        for row in &mut *rows {
            row.tool_calls
                .sort_unstable_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        }
    }
    if include.feedback {
        let owners = owners(rows, |row| row.columns.total_feedback > 0);
        let statement = feedback(schema);
        let mut items = read(connection, statement, org_id, &owners, memory.left());
        while let Some(item) = items.try_next().await? {
            let feedback = Feedback::read(&item)?;
            take(memory, feedback.bytes())?;
            if let Some(row) = rows.get_mut(owner(&owners, &item)?) {
                row.feedback.push(feedback);
            }
        }
        drop(items);
        for row in &mut *rows {
            row.feedback
                .sort_unstable_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        }
    }
    Ok(())
}

/// The conversations that have such items by their counters, and their places among the rows.
fn owners(rows: &[Row], has: impl Fn(&Row) -> bool) -> HashMap<String, usize> {
    let owners = rows.iter().enumerate().filter(|(_, row)| has(row));
    owners.map(|(place, row)| (row.id.clone(), place)).collect()
}

fn owner(owners: &HashMap<String, usize>, item: &PgRow) -> Result<usize, sqlx::Error> {
    let conversation_id: &str = item.try_get(0)?;
    Ok(owners.get(conversation_id).copied().unwrap_or(usize::MAX))
}

fn take(memory: &mut dyn Memory, bytes: usize) -> Result<(), ReadError> {
    if memory.take(bytes) {
        Ok(())
    } else {
        Err(ReadError::TooLarge)
    }
}

/// Items as they come, a little more than `bytes` at most: who counts them sees that there are more.
fn read<'c>(
    connection: &'c mut PgConnection,
    statement: String,
    org_id: &str,
    owners: &HashMap<String, usize>,
    bytes: usize,
) -> BoxStream<'c, Result<PgRow, sqlx::Error>> {
    if owners.is_empty() {
        return stream::empty().boxed();
    }
    let ids: Vec<String> = owners.keys().cloned().collect();
    sqlx::query(sql(statement))
        .bind(org_id.to_owned())
        .bind(ids)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .fetch(connection)
}
