//! A decoded event: the envelope and the bodies, fields named as in the contract.
//!
//! Strings borrow from the record unless they held escapes. Ids are 1–255 bytes without U+0000; other
//! strings show U+FFFD where U+0000 was sent. `null` and absent are both `None`.

use std::borrow::Cow;

use crate::{EventType, Micros, Millis, RawJson, Usage};

/// One valid event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Unique among all events; breaks ties of `time`.
    pub id: Cow<'a, str>,
    /// When it happened.
    pub time: Micros,
    /// The organization it belongs to.
    pub org_id: Cow<'a, str>,
    /// What happened, and to what.
    pub body: Body<'a>,
}

/// Decides between revisions of one thing: the later time, then the greater id by bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey<'a> {
    /// The event's `time`.
    pub time: Micros,
    /// The event's `id`.
    pub id: &'a str,
}

impl Event<'_> {
    /// The key that orders this event among revisions of the same thing.
    #[must_use]
    pub fn order_key(&self) -> OrderKey<'_> {
        OrderKey {
            time: self.time,
            id: &self.id,
        }
    }

    /// The `type` this event was sent with.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        self.body.event_type()
    }
}

/// The thing an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// A conversation, or something in it.
    Conversation {
        /// Unique within the organization.
        conversation_id: Cow<'a, str>,
        /// What changed.
        change: Change<'a>,
    },
    /// A user's profile within the organization.
    User {
        /// Whose profile.
        user_id: Cow<'a, str>,
        /// The whole profile; `None` is `user.deleted`.
        profile: Option<UserProfile<'a>>,
    },
    /// An agent's profile within the organization.
    Agent {
        /// Whose profile; within ±(2^53−1).
        agent_id: i64,
        /// The whole profile.
        profile: AgentProfile<'a>,
    },
}

impl Body<'_> {
    /// The `type` of an event with this body.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::Conversation { change, .. } => change.event_type(),
            Self::User { profile: Some(_), .. } => EventType::UserUpserted,
            Self::User { profile: None, .. } => EventType::UserDeleted,
            Self::Agent { .. } => EventType::AgentUpserted,
        }
    }
}

/// What an event changes in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'a> {
    /// `conversation.upserted`: sets the fields it carries.
    Upserted(ConversationFields<'a>),
    /// `conversation.deleted`
    Deleted,
    /// `conversation.restored`
    Restored,
    /// `message.upserted`: one message, whole.
    Message(Message<'a>),
    /// `message.deleted`
    MessageDeleted {
        /// Unique within the conversation.
        message_id: Cow<'a, str>,
    },
    /// `tool_call.started`: the first half of a call.
    ToolCallStarted(ToolCallStarted<'a>),
    /// `tool_call.finished`: the second half of a call.
    ToolCallFinished(ToolCallFinished<'a>),
    /// `tool_call.deleted`
    ToolCallDeleted {
        /// Unique within the conversation.
        tool_call_id: Cow<'a, str>,
    },
    /// `feedback.submitted`: one feedback, whole.
    FeedbackSubmitted(FeedbackSubmitted<'a>),
    /// `feedback.withdrawn`
    FeedbackWithdrawn {
        /// Unique within the conversation.
        feedback_id: Cow<'a, str>,
    },
}

impl Change<'_> {
    /// The `type` of an event with this change.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::Upserted(_) => EventType::ConversationUpserted,
            Self::Deleted => EventType::ConversationDeleted,
            Self::Restored => EventType::ConversationRestored,
            Self::Message(_) => EventType::MessageUpserted,
            Self::MessageDeleted { .. } => EventType::MessageDeleted,
            Self::ToolCallStarted(_) => EventType::ToolCallStarted,
            Self::ToolCallFinished(_) => EventType::ToolCallFinished,
            Self::ToolCallDeleted { .. } => EventType::ToolCallDeleted,
            Self::FeedbackSubmitted(_) => EventType::FeedbackSubmitted,
            Self::FeedbackWithdrawn { .. } => EventType::FeedbackWithdrawn,
        }
    }
}

/// The fields that `conversation.upserted` may carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationFields<'a> {
    /// The user who talks.
    pub user_id: Option<Cow<'a, str>>,
    /// The agent that answers; within ±(2^53−1).
    pub agent_id: Option<i64>,
    /// The parent conversation.
    pub upstream_conversation_id: Option<Cow<'a, str>>,
    /// When the conversation began.
    pub created_at: Option<Millis>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Unique within the conversation.
    pub message_id: Cow<'a, str>,
    /// `user`, `assistant`, `system` or any other; never empty.
    pub role: Cow<'a, str>,
    /// When it was written.
    pub created_at: Millis,
    /// What it says.
    pub text: Option<Cow<'a, str>>,
    /// The model that wrote it.
    pub model: Option<Cow<'a, str>>,
    /// Why the model stopped.
    pub finish_reason: Option<Cow<'a, str>>,
    /// Tokens; all `None` when the event has no `usage`.
    pub usage: Usage,
    /// Number of attachments; at most 2^31−1.
    pub attachment_count: Option<u32>,
    /// The user who talks.
    pub user_id: Option<Cow<'a, str>>,
    /// The agent that answers; within ±(2^53−1).
    pub agent_id: Option<i64>,
    /// The parent conversation.
    pub upstream_conversation_id: Option<Cow<'a, str>>,
}

/// The first half of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCallStarted<'a> {
    /// Unique within the conversation.
    pub tool_call_id: Cow<'a, str>,
    /// Which tool; never empty.
    pub tool_name: Cow<'a, str>,
    /// What it was called with.
    pub args: Option<RawJson<'a>>,
    /// The message that called it.
    pub message_id: Option<Cow<'a, str>>,
    /// When it began, if not at the event's time.
    pub started_at: Option<Millis>,
}

/// The second half of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCallFinished<'a> {
    /// Unique within the conversation.
    pub tool_call_id: Cow<'a, str>,
    /// Which tool; never empty.
    pub tool_name: Option<Cow<'a, str>>,
    /// What it gave.
    pub result: Option<RawJson<'a>>,
    /// How it failed.
    pub error: Option<RawJson<'a>>,
    /// When it ended, if not at the event's time.
    pub finished_at: Option<Millis>,
}

/// One feedback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackSubmitted<'a> {
    /// Unique within the conversation.
    pub feedback_id: Cow<'a, str>,
    /// Thumbs up or down.
    pub helpful: bool,
    /// What the user wrote.
    pub comment: Option<Cow<'a, str>>,
    /// The message it is about.
    pub message_id: Option<Cow<'a, str>>,
    /// Who gave it.
    pub user_id: Option<Cow<'a, str>>,
    /// When it was given, if not at the event's time.
    pub created_at: Option<Millis>,
}

/// A user's whole profile within an organization.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserProfile<'a> {
    /// E-mail address.
    pub email: Option<Cow<'a, str>>,
    /// First name.
    pub first_name: Option<Cow<'a, str>>,
    /// Last name.
    pub last_name: Option<Cow<'a, str>>,
    /// Always a JSON object.
    pub public_metadata: Option<RawJson<'a>>,
}

/// An agent's whole profile within an organization.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentProfile<'a> {
    /// Display name.
    pub name: Option<Cow<'a, str>>,
    /// The model it runs on.
    pub model: Option<Cow<'a, str>>,
    /// Where its picture is.
    pub logo_url: Option<Cow<'a, str>>,
}
