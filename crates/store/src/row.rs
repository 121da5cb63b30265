//! One conversation as the dashboards show it.

use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow};

use crate::{Feedback, Position, ToolCall};

/// Every field of the answer but `subConversations`. Times are whole milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The conversation's id.
    pub id: String,
    /// The agent.
    pub agent_id: Option<i64>,
    /// The parent conversation, whether it is shown or not.
    pub upstream_conversation_id: Option<String>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When something last happened in it.
    pub updated_at: DateTime<Utc>,
    /// The agent's display name.
    pub agent_name: Option<String>,
    /// The model of the last assistant message that has one, else the agent's.
    pub agent_model: Option<String>,
    /// The agent's picture.
    pub agent_logo_url: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// The user's e-mail address.
    pub user_email: Option<String>,
    /// The user's first name.
    pub user_first_name: Option<String>,
    /// The user's last name.
    pub user_last_name: Option<String>,
    /// The user's public metadata: a JSON object as text, `{}` when unknown.
    pub user_public_metadata: String,
    /// The first message's text; `None` too when it was left out.
    pub first_message_text: Option<String>,
    /// Messages of role `user`.
    pub user_message_count: i64,
    /// Messages of role `assistant`.
    pub assistant_message_count: i64,
    /// Messages of every role.
    pub total_message_count: i64,
    /// Milliseconds from the first message to the last.
    pub duration_ms: i64,
    /// All tokens.
    pub total_tokens: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Attachments.
    pub attachment_count: i64,
    /// How many tool calls there are; [`Self::tool_calls`] are these.
    pub tool_call_count: i64,
    /// In their order; empty when they were left out.
    pub tool_calls: Vec<ToolCall>,
    /// Why the last message that says so ended.
    pub last_finish_reason: Option<String>,
    /// Feedback not withdrawn.
    pub total_feedback: i64,
    /// Of it, helpful.
    pub total_helpful: i64,
    /// Of it, not helpful.
    pub total_not_helpful: i64,
    /// In its order; empty when it was left out.
    pub feedback: Vec<Feedback>,
}

impl Row {
    /// Where the row stands in the list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            updated_at_ms: self.updated_at.timestamp_millis(),
            conversation_id: self.id.clone(),
        }
    }

    /// Reads what [`columns`] selected, in its order, from column `first` on.
    pub(crate) fn read(row: &PgRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(first)?,
            agent_id: row.try_get(first + 1)?,
            upstream_conversation_id: row.try_get(first + 2)?,
            created_at: row.try_get(first + 3)?,
            updated_at: row.try_get(first + 4)?,
            agent_name: row.try_get(first + 5)?,
            agent_model: row.try_get(first + 6)?,
            agent_logo_url: row.try_get(first + 7)?,
            user_id: row.try_get(first + 8)?,
            user_email: row.try_get(first + 9)?,
            user_first_name: row.try_get(first + 10)?,
            user_last_name: row.try_get(first + 11)?,
            user_public_metadata: row.try_get(first + 12)?,
            first_message_text: row.try_get(first + 13)?,
            user_message_count: row.try_get(first + 14)?,
            assistant_message_count: row.try_get(first + 15)?,
            total_message_count: row.try_get(first + 16)?,
            duration_ms: row.try_get(first + 17)?,
            total_tokens: row.try_get(first + 18)?,
            input_tokens: row.try_get(first + 19)?,
            output_tokens: row.try_get(first + 20)?,
            attachment_count: row.try_get(first + 21)?,
            tool_call_count: row.try_get(first + 22)?,
            tool_calls: Vec::new(),
            last_finish_reason: row.try_get(first + 23)?,
            total_feedback: row.try_get(first + 24)?,
            total_helpful: row.try_get(first + 25)?,
            total_not_helpful: row.try_get(first + 26)?,
            feedback: Vec::new(),
        })
    }
}

/// The columns of a conversation that reading needs, in no order that matters.
const STORED: [&str; 22] = [
    "conversation_id",
    "recency",
    "agent_id",
    "upstream_conversation_id",
    "created_at",
    "updated_at",
    "agent_model",
    "user_id",
    "first_message_text",
    "user_message_count",
    "assistant_message_count",
    "total_message_count",
    "duration_ms",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "attachment_count",
    "tool_call_count",
    "last_finish_reason",
    "total_feedback",
    "total_helpful",
    "total_not_helpful",
];

/// [`STORED`] of the conversation `alias`.
pub(crate) fn stored(alias: &str) -> String {
    STORED.map(|column| format!("{alias}.{column}")).join(", ")
}

/// [`STORED`] without a qualifier.
pub(crate) fn stored_names() -> String {
    STORED.join(", ")
}

/// The select list of a row, from [`stored`] columns of `c` and its profiles `u` and `a`.
pub(crate) fn columns(first_message_text: bool) -> String {
    let text = if first_message_text {
        "c.first_message_text"
    } else {
        "NULL::text"
    };
    format!(
        "c.conversation_id, c.agent_id, c.upstream_conversation_id, c.created_at, c.updated_at, \
         a.name, coalesce(c.agent_model, a.model), a.logo_url, c.user_id, u.email, u.first_name, \
         u.last_name, coalesce(u.public_metadata, '{{}}'), {text}, c.user_message_count, \
         c.assistant_message_count, c.total_message_count, c.duration_ms, c.total_tokens, \
         c.input_tokens, c.output_tokens, c.attachment_count, c.tool_call_count, \
         c.last_finish_reason, c.total_feedback, c.total_helpful, c.total_not_helpful"
    )
}

/// The joins that [`columns`] needs, for a conversation `c`. Written as lookups: the planner has no
/// other way to do them than by primary key.
pub(crate) fn joins(schema: &str) -> String {
    format!(
        "LEFT JOIN LATERAL (SELECT p.email, p.first_name, p.last_name, p.public_metadata \
         FROM {schema}.user_profile p WHERE p.org_id = $1 AND p.user_id = c.user_id LIMIT 1) u ON true \
         LEFT JOIN LATERAL (SELECT p.name, p.model, p.logo_url FROM {schema}.agent_profile p \
         WHERE p.org_id = $1 AND p.agent_id = c.agent_id LIMIT 1) a ON true"
    )
}
