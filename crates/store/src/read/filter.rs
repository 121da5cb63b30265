//! What is asked for.

use chrono::{DateTime, Utc};

/// Which conversations of an organization: all conditions hold at once, and none is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Created at or after this moment (milliseconds count).
    pub from: DateTime<Utc>,
    /// Created at or before this moment (milliseconds count).
    pub to: DateTime<Utc>,
    /// Of this user only.
    pub user_id: Option<String>,
    /// Of this agent only.
    pub agent_id: Option<i64>,
    /// Of users with this metadata only.
    pub metadata: Option<MetadataFilter>,
}

/// Users by their public metadata. With neither key nor value nobody matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataFilter {
    /// They have this key: a literal top-level key, else a dotted path through objects.
    pub key: Option<String>,
    /// They have this value, at the key or, without one, anywhere.
    pub value: Option<String>,
}

/// Which of the costly fields a row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Include {
    /// `toolCalls`
    pub tool_calls: bool,
    /// `feedbackData`
    pub feedback: bool,
    /// `firstMessageText`
    pub first_message_text: bool,
}

impl Include {
    /// Everything.
    pub const ALL: Self = Self {
        tool_calls: true,
        feedback: true,
        first_message_text: true,
    };
}

/// A place in the order of the list: `updatedAt` descending, then id ascending by bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// `updatedAt` in Unix milliseconds.
    pub updated_at_ms: i64,
    /// The conversation's id.
    pub conversation_id: String,
}
