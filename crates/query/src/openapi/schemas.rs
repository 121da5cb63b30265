//! The shapes of answers, for the description. Answers are written by `render`; a test holds the two together.

// Only their shape is used.
#![expect(dead_code, reason = "described, never built")]
#![expect(clippy::struct_field_names, reason = "the contract's names")]

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// One conversation with everything a dashboard shows of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Interaction {
    /// The conversation's id.
    #[schema(examples("7b0c1f52-6f0e-4c55-9a41-0f3f6f0f1a01"))]
    id: String,
    /// The agent.
    #[schema(required, minimum = -9_007_199_254_740_991_i64, maximum = 9_007_199_254_740_991_i64, examples(7))]
    agent_id: Option<i64>,
    /// The parent conversation, whether it is shown or not.
    #[schema(required)]
    upstream_conversation_id: Option<String>,
    /// When it began, in milliseconds.
    #[schema(examples("2024-03-01T10:00:00.000Z"))]
    created_at: DateTime<Utc>,
    /// When something last happened in it, in milliseconds.
    #[schema(examples("2024-03-01T10:01:05.250Z"))]
    updated_at: DateTime<Utc>,
    /// The agent's name now.
    #[schema(required)]
    agent_name: Option<String>,
    /// The model of the last assistant message that has one, else the agent's.
    #[schema(required)]
    agent_model: Option<String>,
    /// The agent's picture now.
    #[schema(required)]
    agent_logo_url: Option<String>,
    /// The user.
    #[schema(required)]
    user_id: Option<String>,
    /// The user's e-mail address now.
    #[schema(required)]
    user_email: Option<String>,
    /// The user's first name now.
    #[schema(required)]
    user_first_name: Option<String>,
    /// The user's last name now.
    #[schema(required)]
    user_last_name: Option<String>,
    /// The user's public metadata now; `{}` when unknown.
    #[schema(value_type = Object)]
    user_public_metadata: (),
    /// The text of the first message. Absent when excluded.
    first_message_text: Option<String>,
    /// Messages of role `user`.
    #[schema(minimum = 0)]
    user_message_count: i64,
    /// Messages of role `assistant`.
    #[schema(minimum = 0)]
    assistant_message_count: i64,
    /// Messages of every role.
    #[schema(minimum = 0)]
    total_message_count: i64,
    /// Seconds from the first message to the last, a multiple of 0.001.
    #[schema(minimum = 0, examples(65.25))]
    duration: f64,
    /// All tokens.
    #[schema(minimum = 0)]
    total_tokens: i64,
    /// Tokens read.
    #[schema(minimum = 0)]
    input_tokens: i64,
    /// Tokens written.
    #[schema(minimum = 0)]
    output_tokens: i64,
    /// Attachments of all messages.
    #[schema(minimum = 0)]
    attachment_count: i64,
    /// By `(startedAt, toolCallId)`. Absent when excluded.
    #[schema(required = false)]
    tool_calls: Vec<ToolCall>,
    /// Why the last message that says so ended.
    #[schema(required)]
    last_finish_reason: Option<String>,
    /// Feedback not withdrawn.
    #[schema(minimum = 0)]
    total_feedback: i64,
    /// Of it, helpful.
    #[schema(minimum = 0)]
    total_helpful: i64,
    /// Of it, not helpful.
    #[schema(minimum = 0)]
    total_not_helpful: i64,
    /// By `(createdAt, feedbackId)`. Absent when excluded.
    #[schema(required = false)]
    feedback_data: Vec<Feedback>,
    /// The conversations below this one, of the same shape, at most 32 levels.
    #[schema(no_recursion)]
    sub_conversations: Vec<Interaction>,
}

/// One tool call; a half that has not arrived shows `null`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolCall {
    /// Unique within the conversation.
    tool_call_id: String,
    /// The tool.
    #[schema(required)]
    tool_name: Option<String>,
    /// Any JSON, as it was sent.
    #[schema(value_type = Value, required)]
    args: (),
    /// Any JSON, as it was sent.
    #[schema(value_type = Value, required)]
    result: (),
    /// Any JSON, as it was sent.
    #[schema(value_type = Value, required)]
    error: (),
    /// The message it belongs to.
    #[schema(required)]
    message_id: Option<String>,
    /// When it started.
    #[schema(required)]
    started_at: Option<DateTime<Utc>>,
    /// When it finished.
    #[schema(required)]
    finished_at: Option<DateTime<Utc>>,
}

/// One feedback.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Feedback {
    /// Unique within the conversation.
    feedback_id: String,
    /// The verdict.
    helpful: bool,
    /// The words beside it.
    #[schema(required)]
    comment: Option<String>,
    /// The message it is about.
    #[schema(required)]
    message_id: Option<String>,
    /// Who gave it.
    #[schema(required)]
    user_id: Option<String>,
    /// When it was given.
    created_at: DateTime<Utc>,
}

/// Sums over the conversations that match.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statistics {
    /// Conversations.
    #[schema(minimum = 0, examples(128))]
    conversation_count: i64,
    /// Messages of every role.
    #[schema(minimum = 0, examples(2560))]
    message_count: i64,
    /// Tool calls.
    #[schema(minimum = 0, examples(256))]
    tool_calls: i64,
    /// All tokens.
    #[schema(minimum = 0, examples(1_200_000))]
    total_tokens: i64,
    /// Tokens read.
    #[schema(minimum = 0, examples(900_000))]
    input_tokens: i64,
    /// Tokens written.
    #[schema(minimum = 0, examples(300_000))]
    output_tokens: i64,
    /// Distinct users.
    #[schema(minimum = 0, examples(12))]
    unique_users: i64,
    /// Distinct agents.
    #[schema(minimum = 0, examples(3))]
    unique_agents: i64,
    /// Feedback not withdrawn.
    #[schema(minimum = 0, examples(50))]
    total_feedback: i64,
    /// Of it, helpful.
    #[schema(minimum = 0, examples(41))]
    total_helpful: i64,
    /// Of it, not helpful.
    #[schema(minimum = 0, examples(9))]
    total_not_helpful: i64,
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemDetails {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// One sentence on what is wrong.
    detail: String,
    /// The same sentence.
    error: String,
    /// The request's id, as in `X-Request-Id`.
    request_id: String,
    /// The parameter that is wrong, of a 400.
    #[schema(nullable = false)]
    parameter: Option<String>,
}

/// What both endpoints take.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct FilterParameters {
    /// Conversations created at this moment or later: RFC 3339 with any offset, cut to milliseconds.
    #[param(example = "2024-03-01T00:00:00Z")]
    from: DateTime<Utc>,
    /// Conversations created at this moment or earlier. Not before `from`.
    #[param(example = "2024-03-31T23:59:59.999Z")]
    to: DateTime<Utc>,
    /// Every user of the organization instead of the caller. Needs the role `org:admin`.
    all_in_org: Option<bool>,
    /// One user. Another's id needs `org:admin` and `allInOrg=true`.
    #[param(min_length = 1, max_length = 255, pattern = "^[^\\u0000]+$", example = "user_2aLin")]
    user_id: Option<String>,
    /// Users whose public metadata has this key: a literal top-level key, else a dotted path through objects.
    #[param(min_length = 1, pattern = "^[^\\u0000]+$", example = "office.city")]
    metadata_key: Option<String>,
    /// Users with this value, at that key or, without one, at any key and depth. Numbers match numerically, `true`, `false` and
    /// `null` as JSON, arrays by any element. May be empty.
    #[param(pattern = "^[^\\u0000]*$", example = "London")]
    metadata_value: Option<String>,
    /// Keys to leave out of every conversation.
    #[param(style = Form, explode = false, min_items = 1)]
    exclude: Option<Vec<Excluded>>,
}

/// What only the list takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct PageParameters {
    /// Top-level conversations of one page. Without it everything is returned, streamed.
    #[param(minimum = 1, maximum = 1000, example = 50)]
    limit: Option<u32>,
    /// Where the page begins: from the `Link` of the page before, with the same filters. Needs `limit`.
    #[param(min_length = 1)]
    cursor: Option<String>,
}

/// What only the statistics take.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct AgentParameters {
    /// One agent.
    #[param(minimum = -9_007_199_254_740_991_i64, maximum = 9_007_199_254_740_991_i64, example = 7)]
    agent_id: Option<i64>,
}

/// Headers that change the answer.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct RequestHeaders {
    /// Names the answer the client has; if it is still the right one, 304.
    #[param(rename = "If-None-Match", example = "W/\"0123456789abcdef0123456789abcdef\"")]
    if_none_match: Option<String>,
    /// An id for this request; taken when it is 1–128 letters, digits, `-`, `_` and `.`.
    #[param(rename = "X-Request-Id", example = "01928f3a-0000-7000-8000-000000000001")]
    x_request_id: Option<String>,
}

/// A key that can be left out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Excluded {
    /// Arguments and results can be large.
    ToolCalls,
    /// Comments can be long.
    FeedbackData,
    /// Texts can be long.
    FirstMessageText,
}
