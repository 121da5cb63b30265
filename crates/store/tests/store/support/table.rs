//! The contents of a generation's tables, without what only writers need.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recap_events::Millis;
use recap_store::{AgentWrite, GenerationId, UserWrite};
use recap_summary::{Columns, FeedbackRow};
use sqlx::{AssertSqlSafe, FromRow, PgPool, postgres::PgRow};

use super::fold::time;

#[derive(Debug, Default, PartialEq)]
pub struct Tables {
    pub conversations: BTreeMap<(String, String), Conversation>,
    pub tool_calls: BTreeMap<(String, String, String), ToolCall>,
    pub feedback: BTreeMap<(String, String, String), Feedback>,
    pub users: BTreeMap<(String, String), User>,
    pub agents: BTreeMap<(String, i64), Agent>,
}

#[derive(Debug, PartialEq, FromRow)]
pub struct Conversation {
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    recency: i64,
    deleted_at: Option<DateTime<Utc>>,
    user_id: Option<String>,
    agent_id: Option<i64>,
    upstream_conversation_id: Option<String>,
    agent_model: Option<String>,
    last_finish_reason: Option<String>,
    user_message_count: i64,
    assistant_message_count: i64,
    total_message_count: i64,
    duration_ms: i64,
    total_tokens: i64,
    input_tokens: i64,
    output_tokens: i64,
    attachment_count: i64,
    tool_call_count: i64,
    total_feedback: i64,
    total_helpful: i64,
    total_not_helpful: i64,
    first_message_text: Option<String>,
}

impl Conversation {
    pub fn new(columns: &Columns, first_message_text: Option<String>) -> Self {
        let columns = columns.clone();
        let at = |at: Millis| time(at).unwrap();
        Self {
            created_at: at(columns.created_at),
            updated_at: at(columns.updated_at),
            recency: -columns.updated_at.0,
            deleted_at: columns.deleted_at.and_then(time),
            user_id: columns.user_id,
            agent_id: columns.agent_id,
            upstream_conversation_id: columns.upstream_conversation_id,
            agent_model: columns.agent_model,
            last_finish_reason: columns.last_finish_reason,
            user_message_count: columns.user_message_count,
            assistant_message_count: columns.assistant_message_count,
            total_message_count: columns.total_message_count,
            duration_ms: columns.duration_ms,
            total_tokens: columns.tokens.total,
            input_tokens: columns.tokens.input,
            output_tokens: columns.tokens.output,
            attachment_count: columns.attachment_count,
            tool_call_count: columns.tool_call_count,
            total_feedback: columns.total_feedback,
            total_helpful: columns.total_helpful,
            total_not_helpful: columns.total_not_helpful,
            first_message_text,
        }
    }
}

#[derive(Debug, Default, PartialEq, FromRow)]
pub struct ToolCall {
    pub started_tool_name: Option<String>,
    pub finished_tool_name: Option<String>,
    pub args: Option<String>,
    pub result: Option<String>,
    pub error: Option<String>,
    pub message_id: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub finished_event_time: Option<DateTime<Utc>>,
}

#[derive(Debug, PartialEq, FromRow)]
pub struct Feedback {
    withdrawn: bool,
    helpful: Option<bool>,
    comment: Option<String>,
    message_id: Option<String>,
    user_id: Option<String>,
    created_at: Option<DateTime<Utc>>,
}

impl Feedback {
    pub fn new(row: Option<&FeedbackRow>) -> Self {
        Self {
            withdrawn: row.is_none(),
            helpful: row.map(|row| row.helpful),
            comment: row.and_then(|row| row.comment.clone()),
            message_id: row.and_then(|row| row.message_id.clone()),
            user_id: row.and_then(|row| row.user_id.clone()),
            created_at: row.and_then(|row| time(row.created_at)),
        }
    }
}

#[derive(Debug, PartialEq, FromRow)]
pub struct User {
    event_time: i64,
    event_id: String,
    deleted: bool,
    pub email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    public_metadata: Option<String>,
}

impl User {
    pub fn new(write: &UserWrite) -> Self {
        let profile = write.profile.clone();
        Self {
            event_time: write.time.0,
            event_id: write.event_id.clone(),
            deleted: profile.is_none(),
            email: profile.as_ref().and_then(|profile| profile.email.clone()),
            first_name: profile.as_ref().and_then(|profile| profile.first_name.clone()),
            last_name: profile.as_ref().and_then(|profile| profile.last_name.clone()),
            public_metadata: profile.and_then(|profile| profile.public_metadata),
        }
    }
}

#[derive(Debug, PartialEq, FromRow)]
pub struct Agent {
    event_time: i64,
    event_id: String,
    name: Option<String>,
    model: Option<String>,
    logo_url: Option<String>,
}

impl Agent {
    pub fn new(write: &AgentWrite) -> Self {
        Self {
            event_time: write.time.0,
            event_id: write.event_id.clone(),
            name: write.name.clone(),
            model: write.model.clone(),
            logo_url: write.logo_url.clone(),
        }
    }
}

/// What is stored.
pub async fn read(pool: &PgPool, generation: GenerationId) -> Tables {
    let schema = generation.schema();
    Tables {
        conversations: all(pool, &schema, "conversation_summary", 2).await,
        tool_calls: all(pool, &schema, "tool_call", 3).await,
        feedback: all(pool, &schema, "feedback", 3).await,
        users: all(pool, &schema, "user_profile", 2).await,
        agents: all(pool, &schema, "agent_profile", 2).await,
    }
}

async fn all<K, R>(pool: &PgPool, schema: &str, table: &str, keys: usize) -> BTreeMap<K, R>
where
    K: Ord + for<'r> FromRow<'r, PgRow>,
    R: for<'r> FromRow<'r, PgRow>,
{
    let sql = format!("SELECT * FROM {schema}.{table}");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
    let found: BTreeMap<K, R> = rows
        .iter()
        .map(|row| (K::from_row(row).unwrap(), R::from_row(row).unwrap()))
        .collect();
    assert_eq!(found.len(), rows.len(), "{table}: {keys} columns are the key");
    found
}

/// Where every row lies and which transaction wrote it: equal before and after means nothing was written. Nor locked, but on a Citus cluster, where profiles
/// that are there already are met by the insert itself.
pub async fn physical(pool: &PgPool, generation: GenerationId) -> Vec<String> {
    let schema = generation.schema();
    let mut rows = Vec::new();
    let cluster: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")
        .fetch_one(pool)
        .await
        .unwrap();
    for table in [
        "conversation_summary",
        "conversation_state_part",
        "tool_call",
        "feedback",
        "user_profile",
        "user_metadata_token",
        "agent_profile",
    ] {
        let locked = if cluster && table.ends_with("_profile") {
            ""
        } else {
            ", xmax"
        };
        let sql = format!("SELECT concat_ws(' ', '{table}', ctid, xmin{locked}) FROM {schema}.{table}");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
        rows.extend(found);
    }
    rows.sort();
    rows
}

/// The tables with content that somebody wrote: the rest of their key, and the columns that are readable.
const READABLE: [(&str, &str, &[&str]); 6] = [
    ("conversation_summary", "conversation_id", &["first_message_text"]),
    (
        "tool_call",
        "conversation_id, tool_call_id",
        &["started_tool_name", "finished_tool_name", "args", "result", "error"],
    ),
    ("feedback", "conversation_id, feedback_id", &["comment"]),
    (
        "user_profile",
        "user_id",
        &["email", "first_name", "last_name", "public_metadata"],
    ),
    ("user_metadata_token", "user_id, token", &["token"]),
    ("agent_profile", "agent_id", &["name", "model", "logo_url"]),
];

/// Where something readable stands: the row, the column.
pub type Place = (String, String);

/// Everything readable that is stored.
pub async fn readable(pool: &PgPool, generation: GenerationId) -> BTreeMap<Place, String> {
    let schema = generation.schema();
    let mut readable = BTreeMap::new();
    for (table, key, columns) in READABLE {
        let sql = format!(
            "SELECT concat_ws(' ', '{table}', org_id, {key}), value.key, value.value FROM {schema}.{table} t \
             CROSS JOIN jsonb_each_text(to_jsonb(t)) value WHERE value.key = ANY($1) AND value.value IS NOT NULL"
        );
        let found: Vec<(String, String, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(columns)
            .fetch_all(pool)
            .await
            .unwrap();
        readable.extend(found.into_iter().map(|(row, column, value)| ((row, column), value)));
    }
    readable
}
