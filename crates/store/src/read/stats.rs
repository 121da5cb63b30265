//! Sums over a filter.

use sqlx::{Row as _, postgres::PgRow};

/// The answer of `getStats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Conversations.
    pub conversation_count: i64,
    /// Messages of every role.
    pub message_count: i64,
    /// Tool calls.
    pub tool_calls: i64,
    /// All tokens.
    pub total_tokens: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Distinct users.
    pub unique_users: i64,
    /// Distinct agents.
    pub unique_agents: i64,
    /// Feedback not withdrawn.
    pub total_feedback: i64,
    /// Of it, helpful.
    pub total_helpful: i64,
    /// Of it, not helpful.
    pub total_not_helpful: i64,
}

impl Stats {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            conversation_count: row.try_get(0)?,
            message_count: row.try_get(1)?,
            tool_calls: row.try_get(2)?,
            total_tokens: row.try_get(3)?,
            input_tokens: row.try_get(4)?,
            output_tokens: row.try_get(5)?,
            unique_users: row.try_get(6)?,
            unique_agents: row.try_get(7)?,
            total_feedback: row.try_get(8)?,
            total_helpful: row.try_get(9)?,
            total_not_helpful: row.try_get(10)?,
        })
    }
}
