//! Rows get their tool calls and their feedback, those of a whole page at once.

use std::collections::HashMap;

use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    filter::Include,
    items::{Feedback, ToolCall, feedback, tool_calls},
    row::Row,
};
use crate::sql::sql;

/// Gives rows the tool calls and the feedback that are asked for.
pub(crate) async fn attach(
    connection: &mut PgConnection,
    schema: &str,
    org_id: &str,
    include: Include,
    rows: &mut [Row],
) -> Result<(), sqlx::Error> {
    if include.tool_calls {
        let owners = owners(rows, |row| row.columns.tool_call_count > 0);
        for item in read(connection, &tool_calls(schema), org_id, &owners).await? {
            if let Some(row) = rows.get_mut(owner(&owners, &item)?) {
                row.tool_calls.push(ToolCall::read(&item)?);
            }
        }
        for row in &mut *rows {
            row.tool_calls
                .sort_unstable_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        }
    }
    if include.feedback {
        let owners = owners(rows, |row| row.columns.total_feedback > 0);
        for item in read(connection, &feedback(schema), org_id, &owners).await? {
            if let Some(row) = rows.get_mut(owner(&owners, &item)?) {
                row.feedback.push(Feedback::read(&item)?);
            }
        }
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

async fn read(
    connection: &mut PgConnection,
    statement: &str,
    org_id: &str,
    owners: &HashMap<String, usize>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = owners.keys().map(String::as_str).collect();
    sqlx::query(sql(statement.to_owned()))
        .bind(org_id)
        .bind(ids)
        .fetch_all(connection)
        .await
}
