//! What a conversation shows, computed from its state alone.

use recap_events::Millis;

/// The columns of a conversation's row; the names are the contract's. Profiles are joined when reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// When it began.
    pub created_at: Millis,
    /// When its last event happened.
    pub updated_at: Millis,
    /// When it was deleted, unless restored.
    pub deleted_at: Option<Millis>,
    /// The user who talks.
    pub user_id: Option<String>,
    /// The agent that answers.
    pub agent_id: Option<i64>,
    /// The parent conversation.
    pub upstream_conversation_id: Option<String>,
    /// By its messages; when `None` the agent profile's is shown.
    pub agent_model: Option<String>,
    /// Of the last message that has one.
    pub last_finish_reason: Option<String>,
    /// Messages with role `user`.
    pub user_message_count: i64,
    /// Messages with role `assistant`.
    pub assistant_message_count: i64,
    /// Messages of every role.
    pub total_message_count: i64,
    /// From the first message to the last, in milliseconds.
    pub duration_ms: i64,
    /// Sum over the messages.
    pub total_tokens: i64,
    /// Sum over the messages.
    pub input_tokens: i64,
    /// Sum over the messages.
    pub output_tokens: i64,
    /// Sum over the messages.
    pub attachment_count: i64,
    /// Calls of which at least one half arrived.
    pub tool_call_count: i64,
    /// Feedback not withdrawn.
    pub total_feedback: i64,
    /// Thumbs up among it.
    pub total_helpful: i64,
    /// Thumbs down among it.
    pub total_not_helpful: i64,
}
