//! What hangs off conversations without bound: tool calls and feedback. Read for a whole page at once, and
//! spelled as JSON by whoever answers: PostgreSQL takes five times as long for that as for finding them.

use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow};

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

impl ToolCall {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
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
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
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
