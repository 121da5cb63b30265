//! What hangs off conversations without bound: tool calls and feedback. Read for a whole page at once, and
//! spelled as JSON by whoever answers: PostgreSQL takes five times as long for that as for finding them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{filter::Include, row::Row};
use crate::sql::sql;

/// One tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Its id.
    pub id: String,
    /// The tool.
    pub name: Option<String>,
    /// Its arguments: raw JSON.
    pub args: Option<String>,
    /// What it gave: raw JSON.
    pub result: Option<String>,
    /// How it failed: raw JSON.
    pub error: Option<String>,
    /// The message that asked for it.
    pub message_id: Option<String>,
    /// When it began; of one whose start is unknown, the event time of its end.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// One feedback that was not withdrawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    /// Its id.
    pub id: String,
    /// The verdict.
    pub helpful: bool,
    /// In the user's words.
    pub comment: Option<String>,
    /// The message it is about.
    pub message_id: Option<String>,
    /// Who gave it.
    pub user_id: Option<String>,
    /// When.
    pub created_at: Option<DateTime<Utc>>,
}

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

/// The tool calls of conversations `$2` of organization `$1`.
pub(crate) fn tool_calls(schema: &str) -> String {
    format!(
        "SELECT t.conversation_id, t.tool_call_id, coalesce(t.started_tool_name, t.finished_tool_name), \
         t.args, t.result, t.error, t.message_id, coalesce(t.started_at, t.finished_event_time), \
         t.finished_at FROM {schema}.tool_call t WHERE t.org_id = $1 AND t.conversation_id = ANY($2)"
    )
}

/// The feedback of conversations `$2` of organization `$1`.
pub(crate) fn feedback(schema: &str) -> String {
    format!(
        "SELECT f.conversation_id, f.feedback_id, f.helpful, f.comment, f.message_id, f.user_id, \
         f.created_at FROM {schema}.feedback f \
         WHERE f.org_id = $1 AND f.conversation_id = ANY($2) AND NOT f.withdrawn"
    )
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

impl ToolCall {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(1)?,
            name: row.try_get(2)?,
            args: row.try_get(3)?,
            result: row.try_get(4)?,
            error: row.try_get(5)?,
            message_id: row.try_get(6)?,
            started_at: row.try_get(7)?,
            finished_at: row.try_get(8)?,
        })
    }
}

impl Feedback {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(1)?,
            helpful: row.try_get::<Option<bool>, _>(2)?.unwrap_or_default(),
            comment: row.try_get(3)?,
            message_id: row.try_get(4)?,
            user_id: row.try_get(5)?,
            created_at: row.try_get(6)?,
        })
    }
}
