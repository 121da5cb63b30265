//! The orders of a list.

use recap_summary::Columns;

use super::arm::Arm;

/// What a list is in the order of: greatest first, and of equal ones the least id by bytes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// When something last happened.
    #[default]
    UpdatedAt,
    /// When it began.
    CreatedAt,
    /// All tokens.
    TotalTokens,
    /// Messages of every role.
    TotalMessageCount,
    /// From the first message to the last.
    Duration,
}

/// A place in the order of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// What the list is in the order of: Unix milliseconds, a number of milliseconds, or a count.
    pub value: i64,
    /// The conversation's id.
    pub conversation_id: String,
}

impl Sort {
    /// What a conversation has its place by.
    pub(super) fn value(self, columns: &Columns) -> i64 {
        match self {
            Self::UpdatedAt => columns.updated_at.0,
            Self::CreatedAt => columns.created_at.0,
            Self::TotalTokens => columns.tokens.total,
            Self::TotalMessageCount => columns.total_message_count,
            Self::Duration => columns.duration_ms,
        }
    }

    /// The same negated, in SQL: ascending is then the order of the list.
    pub(super) fn place(self, arm: Arm, alias: &str) -> String {
        let copied = |column| format!("-{}", arm.column(alias, column));
        match self {
            Self::UpdatedAt => arm.column(alias, "recency"),
            Self::CreatedAt => negated_milliseconds(&format!("{alias}.created_at")),
            Self::TotalTokens => copied("total_tokens"),
            Self::TotalMessageCount => copied("total_message_count"),
            Self::Duration => copied("duration_ms"),
        }
    }
}

/// A time as [`Sort::place`] has it.
pub(super) fn negated_milliseconds(time: &str) -> String {
    format!("-(extract(epoch FROM {time}) * 1000)::bigint")
}
