//! The fields of each event's data: what they hold, and whether they must be there. `tests/schema` holds this table to the decoder.

use crate::EventType;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An opaque id.
    Id,
    /// A string that is not empty.
    Name,
    /// Any string.
    Text,
    /// An RFC 3339 time.
    Time,
    /// 0 to 2^31−1.
    Count,
    /// Within ±(2^53−1).
    AgentId,
    /// `true` or `false`.
    Boolean,
    /// Any JSON.
    Any,
    /// A JSON object of any members.
    Object,
    /// An object of these fields.
    Fields(&'static [Field]),
}

/// A field of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub is_required: bool,
    pub says: &'static str,
}

const fn required(name: &'static str, kind: Kind, says: &'static str) -> Field {
    Field {
        name,
        kind,
        is_required: true,
        says,
    }
}

const fn optional(name: &'static str, kind: Kind, says: &'static str) -> Field {
    Field {
        name,
        kind,
        is_required: false,
        says,
    }
}

const ORG: Field = required("orgId", Kind::Id, "The organization that it belongs to.");
const CONVERSATION: Field = required(
    "conversationId",
    Kind::Id,
    "The conversation, unique within its organization.",
);
const USER: Field = required("userId", Kind::Id, "Whose profile.");
const MESSAGE: Field = required("messageId", Kind::Id, "The message, unique within its conversation.");
const TOOL_CALL: Field = required("toolCallId", Kind::Id, "The call, unique within its conversation.");
const FEEDBACK: Field = required("feedbackId", Kind::Id, "The feedback, unique within its conversation.");
const TALKING_USER: Field = optional("userId", Kind::Id, "The user who talks.");
const ANSWERING_AGENT: Field = optional("agentId", Kind::AgentId, "The agent that answers.");
const PARENT: Field = optional(
    "upstreamConversationId",
    Kind::Id,
    "The conversation that this one is a part of.",
);

const USAGE: &[Field] = &[
    optional("inputTokens", Kind::Count, "Tokens read."),
    optional("outputTokens", Kind::Count, "Tokens written."),
    optional(
        "totalTokens",
        Kind::Count,
        "All tokens; the sum of the two unless given.",
    ),
];

/// Of the data of events of that type, in the order of the contract's table.
pub(super) fn fields(event_type: EventType) -> Vec<Field> {
    match event_type {
        EventType::ConversationUpserted => vec![
            ORG,
            CONVERSATION,
            TALKING_USER,
            ANSWERING_AGENT,
            PARENT,
            optional("createdAt", Kind::Time, "When the conversation began."),
        ],
        EventType::ConversationDeleted | EventType::ConversationRestored => vec![ORG, CONVERSATION],
        EventType::MessageUpserted => vec![
            ORG,
            CONVERSATION,
            MESSAGE,
            required("role", Kind::Name, "`user`, `assistant`, `system` or any other."),
            required("createdAt", Kind::Time, "When it was written."),
            optional("text", Kind::Text, "What it says."),
            optional("model", Kind::Text, "The model that wrote it."),
            optional("finishReason", Kind::Text, "Why the model stopped."),
            optional("usage", Kind::Fields(USAGE), "Its tokens."),
            optional("attachmentCount", Kind::Count, "How many attachments it has."),
            TALKING_USER,
            ANSWERING_AGENT,
            PARENT,
        ],
        EventType::MessageDeleted => vec![ORG, CONVERSATION, MESSAGE],
        EventType::ToolCallStarted => vec![
            ORG,
            CONVERSATION,
            TOOL_CALL,
            required("toolName", Kind::Name, "Which tool."),
            optional("args", Kind::Any, "What it is called with."),
            optional("messageId", Kind::Id, "The message that calls it."),
            optional(
                "startedAt",
                Kind::Time,
                "When it began; the event's `time` unless given.",
            ),
        ],
        EventType::ToolCallFinished => vec![
            ORG,
            CONVERSATION,
            TOOL_CALL,
            optional(
                "toolName",
                Kind::Name,
                "Which tool; that of the started half, where there is one.",
            ),
            optional("result", Kind::Any, "What it gave."),
            optional("error", Kind::Any, "How it failed, in place of a result."),
            optional(
                "finishedAt",
                Kind::Time,
                "When it ended; the event's `time` unless given.",
            ),
        ],
        EventType::ToolCallDeleted => vec![ORG, CONVERSATION, TOOL_CALL],
        EventType::FeedbackSubmitted => vec![
            ORG,
            CONVERSATION,
            FEEDBACK,
            required("helpful", Kind::Boolean, "Thumbs up or down."),
            optional("comment", Kind::Text, "What the user wrote."),
            optional("messageId", Kind::Id, "The message that it is about."),
            optional("userId", Kind::Id, "Who gave it."),
            optional(
                "createdAt",
                Kind::Time,
                "When it was given; the event's `time` unless given.",
            ),
        ],
        EventType::FeedbackWithdrawn => vec![ORG, CONVERSATION, FEEDBACK],
        EventType::UserUpserted => vec![
            ORG,
            USER,
            optional("email", Kind::Text, "E-mail address."),
            optional("firstName", Kind::Text, "First name."),
            optional("lastName", Kind::Text, "Last name."),
            optional("publicMetadata", Kind::Object, "What dashboards filter by."),
        ],
        EventType::UserDeleted => vec![ORG, USER],
        EventType::AgentUpserted => vec![
            ORG,
            required("agentId", Kind::AgentId, "Whose profile."),
            optional("name", Kind::Text, "What it is called."),
            optional("model", Kind::Text, "The model that it runs on."),
            optional("logoUrl", Kind::Text, "Where its picture is."),
        ],
    }
}

/// What an event of that type does.
pub(super) const fn effect(event_type: EventType) -> &'static str {
    match event_type {
        EventType::ConversationUpserted => {
            "Sets the fields that it has; of each field the value with the greatest order key stays."
        }
        EventType::ConversationDeleted => "The conversation is deleted at the event's time.",
        EventType::ConversationRestored => "The conversation is not deleted any more.",
        EventType::MessageUpserted => "A whole message; a greater order key replaces it.",
        EventType::MessageDeleted => {
            "Takes the message out of everything that is counted, until an upsert with a greater order key."
        }
        EventType::ToolCallStarted => "The first half of a tool call; a greater order key replaces it.",
        EventType::ToolCallFinished => {
            "The second half of a tool call, which may be the first to arrive; a greater order key replaces it."
        }
        EventType::ToolCallDeleted => "Erases both halves of a tool call, but for those with a greater order key.",
        EventType::FeedbackSubmitted => "One feedback; a greater order key replaces it.",
        EventType::FeedbackWithdrawn => "The feedback is gone until a submission with a greater order key.",
        EventType::UserUpserted => "A user's whole profile within the organization; the greatest order key wins.",
        EventType::UserDeleted => "Erases a user's profile within the organization.",
        EventType::AgentUpserted => "An agent's whole profile within the organization; the greatest order key wins.",
    }
}
