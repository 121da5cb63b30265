//! The event types.

use std::fmt;

/// What an event says happened: the `CloudEvents` attribute `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// `conversation.upserted`
    ConversationUpserted,
    /// `conversation.deleted`
    ConversationDeleted,
    /// `conversation.restored`
    ConversationRestored,
    /// `message.upserted`
    MessageUpserted,
    /// `message.deleted`
    MessageDeleted,
    /// `tool_call.started`
    ToolCallStarted,
    /// `tool_call.finished`
    ToolCallFinished,
    /// `tool_call.deleted`
    ToolCallDeleted,
    /// `feedback.submitted`
    FeedbackSubmitted,
    /// `feedback.withdrawn`
    FeedbackWithdrawn,
    /// `user.upserted`
    UserUpserted,
    /// `user.deleted`
    UserDeleted,
    /// `agent.upserted`
    AgentUpserted,
}

impl EventType {
    /// Every type, in the order of the contract's table.
    pub const ALL: [Self; 13] = [
        Self::ConversationUpserted,
        Self::ConversationDeleted,
        Self::ConversationRestored,
        Self::MessageUpserted,
        Self::MessageDeleted,
        Self::ToolCallStarted,
        Self::ToolCallFinished,
        Self::ToolCallDeleted,
        Self::FeedbackSubmitted,
        Self::FeedbackWithdrawn,
        Self::UserUpserted,
        Self::UserDeleted,
        Self::AgentUpserted,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConversationUpserted => "conversation.upserted",
            Self::ConversationDeleted => "conversation.deleted",
            Self::ConversationRestored => "conversation.restored",
            Self::MessageUpserted => "message.upserted",
            Self::MessageDeleted => "message.deleted",
            Self::ToolCallStarted => "tool_call.started",
            Self::ToolCallFinished => "tool_call.finished",
            Self::ToolCallDeleted => "tool_call.deleted",
            Self::FeedbackSubmitted => "feedback.submitted",
            Self::FeedbackWithdrawn => "feedback.withdrawn",
            Self::UserUpserted => "user.upserted",
            Self::UserDeleted => "user.deleted",
            Self::AgentUpserted => "agent.upserted",
        }
    }

    /// The type of that name; `None` for a type this version doesn't know.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "conversation.upserted" => Self::ConversationUpserted,
            "conversation.deleted" => Self::ConversationDeleted,
            "conversation.restored" => Self::ConversationRestored,
            "message.upserted" => Self::MessageUpserted,
            "message.deleted" => Self::MessageDeleted,
            "tool_call.started" => Self::ToolCallStarted,
            "tool_call.finished" => Self::ToolCallFinished,
            "tool_call.deleted" => Self::ToolCallDeleted,
            "feedback.submitted" => Self::FeedbackSubmitted,
            "feedback.withdrawn" => Self::FeedbackWithdrawn,
            "user.upserted" => Self::UserUpserted,
            "user.deleted" => Self::UserDeleted,
            "agent.upserted" => Self::AgentUpserted,
            _ => return None,
        })
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
