//! What hangs off conversations without bound: tool calls and feedback. Read for a whole page at once, and
//! spelled as JSON by whoever answers: PostgreSQL takes five times as long for that as for finding them.

use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt as _};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::filter::Include;
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

/// Bytes that an item takes beside its long texts.
const BARE_BYTES: usize = 320;

/// What a tool call's long texts take. A text's length is known without reading it.
const TOOL_CALL_WEIGHT: &str =
    "coalesce(octet_length(t.args), 0) + coalesce(octet_length(t.result), 0) + coalesce(octet_length(t.error), 0)";
const FEEDBACK_WEIGHT: &str = "coalesce(octet_length(f.comment), 0)";

const TOOL_CALL: &str = "t.conversation_id, t.tool_call_id, coalesce(t.started_tool_name, t.finished_tool_name), \
     t.args, t.result, t.error, t.message_id, coalesce(t.started_at, t.finished_event_time), t.finished_at";
const FEEDBACK: &str = "f.conversation_id, f.feedback_id, f.helpful, f.comment, f.message_id, f.user_id, f.created_at";

/// The tool calls of conversations `$2` of organization `$1`, but no more than pass `$3` bytes.
pub(crate) fn tool_calls(schema: &str) -> String {
    let all = tool_calls_of(schema, "= ANY($2)", &format!(", {TOOL_CALL_WEIGHT} AS weight"));
    up_to_bytes(&all)
}

/// The feedback of conversations `$2` of organization `$1`, but no more than pass `$3` bytes.
pub(crate) fn feedback(schema: &str) -> String {
    let all = feedback_of(schema, "= ANY($2)", &format!(", {FEEDBACK_WEIGHT} AS weight"));
    up_to_bytes(&all)
}

fn tool_calls_of(schema: &str, conversation: &str, more: &str) -> String {
    format!(
        "SELECT {TOOL_CALL}{more} FROM {schema}.tool_call t WHERE t.org_id = $1 AND t.conversation_id {conversation}"
    )
}

fn feedback_of(schema: &str, conversation: &str, more: &str) -> String {
    format!(
        "SELECT {FEEDBACK}{more} FROM {schema}.feedback f \
         WHERE f.org_id = $1 AND f.conversation_id {conversation} AND NOT f.withdrawn"
    )
}

/// The first items with a `weight` whose weights pass `$3` together, and no more: who reads them sees that they do.
fn up_to_bytes(items: &str) -> String {
    format!(
        "SELECT i.* FROM (SELECT w.*, sum(w.weight) OVER (ROWS UNBOUNDED PRECEDING) AS so_far FROM ({items}) w) i \
         WHERE i.so_far - i.weight <= $3"
    )
}

/// What the tool calls and the feedback of the conversation `c` of organization `$1` take together.
pub(super) fn weight(schema: &str, include: Include) -> String {
    let sum = |weight: &str, from: &str| {
        format!("coalesce((SELECT sum({weight} + {BARE_BYTES}) FROM {schema}.{from}.org_id = $1")
    };
    let mut weight = "0::bigint".to_owned();
    if include.tool_calls {
        let sum = sum(TOOL_CALL_WEIGHT, "tool_call t WHERE t");
        weight = format!("{weight} + {sum} AND t.conversation_id = c.conversation_id), 0)");
    }
    if include.feedback {
        let sum = sum(FEEDBACK_WEIGHT, "feedback f WHERE f");
        weight = format!("{weight} + {sum} AND f.conversation_id = c.conversation_id AND NOT f.withdrawn), 0)");
    }
    weight
}

/// The tool calls of one conversation in their order, one at a time.
pub(super) fn stream_tool_calls<'c>(
    connection: &'c mut PgConnection,
    schema: &str,
    org_id: &str,
    conversation_id: &str,
) -> BoxStream<'c, Result<ToolCall, sqlx::Error>> {
    let all = tool_calls_of(schema, "= $2", "");
    let statement = format!("{all} ORDER BY coalesce(t.started_at, t.finished_event_time) NULLS FIRST, t.tool_call_id");
    stream(connection, statement, org_id, conversation_id, ToolCall::read)
}

/// The feedback of one conversation in its order, one at a time.
pub(super) fn stream_feedback<'c>(
    connection: &'c mut PgConnection,
    schema: &str,
    org_id: &str,
    conversation_id: &str,
) -> BoxStream<'c, Result<Feedback, sqlx::Error>> {
    let all = feedback_of(schema, "= $2", "");
    let statement = format!("{all} ORDER BY f.created_at NULLS FIRST, f.feedback_id");
    stream(connection, statement, org_id, conversation_id, Feedback::read)
}

fn stream<'c, T: Send + 'c>(
    connection: &'c mut PgConnection,
    statement: String,
    org_id: &str,
    conversation_id: &str,
    read: fn(&PgRow) -> Result<T, sqlx::Error>,
) -> BoxStream<'c, Result<T, sqlx::Error>> {
    let query = sqlx::query(sql(statement))
        .bind(org_id.to_owned())
        .bind(conversation_id.to_owned());
    query.fetch(connection).map(move |row| read(&row?)).boxed()
}

impl ToolCall {
    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.args, &self.result, &self.error];
        BARE_BYTES + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }

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
    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        BARE_BYTES + self.comment.as_ref().map_or(0, String::len)
    }

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
