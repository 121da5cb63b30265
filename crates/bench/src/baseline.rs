//! The two baselines: what a first version of recap does, and what a good one does. Both are exact for duplicates only;
//! neither handles revisions, withdrawn feedback or deleted users, which makes them faster than a correct one could be.
//!
//! - A: one transaction an event. A table of processed event ids guards counters on the conversation's row; all of it is
//!   one statement, so that an event costs one round trip and one commit.
//! - B: a transaction a batch. Messages, halves of tool calls and feedback go into a fact table with
//!   `ON CONFLICT DO NOTHING`; what was new is counted and added to the conversations' rows in the same statement.
//!
//! Both keep the columns that recap shows (counters, first text, payloads), the same index for lists, and read each share
//! of the partitions with a thread and a connection of its own.

use chrono::{DateTime, Utc};
use recap_events::{Body, Change, Event, Message, Millis};

pub mod batched;
pub mod single;

/// What an event adds to a conversation's row, besides facts.
#[derive(Clone, Debug, Default)]
pub struct Addition {
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub user_id: Option<String>,
    pub agent_id: Option<i64>,
    pub parent_id: Option<String>,
    pub deleted: Option<bool>,
    pub first_message: Option<(DateTime<Utc>, Option<String>)>,
}

/// A message, half of a tool call, or feedback.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    /// 1 message, 2 tool call started, 3 tool call finished, 4 feedback.
    pub kind: i16,
    pub id: String,
    pub at: DateTime<Utc>,
    pub role: Option<String>,
    pub input_tokens: i32,
    pub output_tokens: i32,
    pub total_tokens: i32,
    pub attachments: i32,
    pub helpful: Option<bool>,
    pub payload: Option<String>,
}

/// A profile of a user or agent, whole.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `user` or `agent`.
    pub kind: &'static str,
    pub id: String,
    /// Event time in microseconds: the later one wins.
    pub time: i64,
    pub content: String,
}

/// An event as the baselines see it.
pub enum Step {
    Conversation {
        conversation_id: String,
        addition: Addition,
        fact: Option<Fact>,
    },
    Profile(Profile),
}

fn at(millis: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis.0).unwrap_or_default()
}

fn count(count: Option<u32>) -> i32 {
    count.map_or(0, |count| i32::try_from(count).unwrap_or(i32::MAX))
}

/// Translates an event.
pub fn step(event: &Event<'_>) -> Step {
    match &event.body {
        Body::Conversation {
            conversation_id,
            change,
        } => {
            let time = at(event.time.to_millis());
            let mut addition = Addition {
                created_at: time,
                updated_at: time,
                ..Addition::default()
            };
            let fact = fact(change, time, &mut addition);
            Step::Conversation {
                conversation_id: conversation_id.to_string(),
                addition,
                fact,
            }
        }
        Body::User { user_id, profile } => Step::Profile(Profile {
            kind: "user",
            id: user_id.to_string(),
            time: event.time.0,
            content: profile.as_ref().map_or_else(String::new, |profile| {
                let metadata = profile.public_metadata.as_ref().map_or("", |json| json.as_str());
                [
                    profile.email.as_deref().unwrap_or_default(),
                    profile.first_name.as_deref().unwrap_or_default(),
                    profile.last_name.as_deref().unwrap_or_default(),
                    metadata,
                ]
                .join("\n")
            }),
        }),
        Body::Agent { agent_id, profile } => Step::Profile(Profile {
            kind: "agent",
            id: agent_id.to_string(),
            time: event.time.0,
            content: [&profile.name, &profile.model, &profile.logo_url]
                .map(|field| field.as_deref().unwrap_or_default())
                .join("\n"),
        }),
    }
}

fn fact(change: &Change<'_>, time: DateTime<Utc>, addition: &mut Addition) -> Option<Fact> {
    let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    match change {
        Change::Upserted(fields) => {
            addition.user_id = owned(&fields.user_id);
            addition.agent_id = fields.agent_id;
            addition.parent_id = owned(&fields.upstream_conversation_id);
            None
        }
        Change::Deleted => {
            addition.deleted = Some(true);
            None
        }
        Change::Restored => {
            addition.deleted = Some(false);
            None
        }
        Change::Message(message) => Some(message_fact(message, addition)),
        Change::ToolCallStarted(call) => Some(Fact {
            kind: 2,
            id: call.tool_call_id.to_string(),
            at: call.started_at.map_or(time, at),
            role: Some(call.tool_name.to_string()),
            payload: call.args.as_ref().map(|json| json.as_str().to_owned()),
            ..Fact::default()
        }),
        Change::ToolCallFinished(call) => Some(Fact {
            kind: 3,
            id: call.tool_call_id.to_string(),
            at: call.finished_at.map_or(time, at),
            role: owned(&call.tool_name),
            payload: call
                .result
                .as_ref()
                .or(call.error.as_ref())
                .map(|json| json.as_str().to_owned()),
            ..Fact::default()
        }),
        Change::FeedbackSubmitted(feedback) => Some(Fact {
            kind: 4,
            id: feedback.feedback_id.to_string(),
            at: feedback.created_at.map_or(time, at),
            helpful: Some(feedback.helpful),
            payload: owned(&feedback.comment),
            ..Fact::default()
        }),
        // A first version takes nothing back, and knows no other events.
        _ => None,
    }
}

fn message_fact(message: &Message<'_>, addition: &mut Addition) -> Fact {
    addition.user_id = message.user_id.as_deref().map(str::to_owned);
    addition.agent_id = message.agent_id;
    addition.parent_id = message.upstream_conversation_id.as_deref().map(str::to_owned);
    let created_at = at(message.created_at);
    addition.created_at = addition.created_at.min(created_at);
    if message.role != "system" {
        addition.first_message = Some((created_at, message.text.as_deref().map(str::to_owned)));
    }
    let usage = message.usage;
    let (input, output) = (count(usage.input_tokens), count(usage.output_tokens));
    Fact {
        kind: 1,
        id: message.message_id.to_string(),
        at: created_at,
        role: Some(message.role.to_string()),
        input_tokens: input,
        output_tokens: output,
        total_tokens: usage
            .total_tokens
            .map_or(input.saturating_add(output), |total| count(Some(total))),
        attachments: count(message.attachment_count),
        ..Fact::default()
    }
}

/// The conversation's row, the same for both.
pub const CONVERSATION_COLUMNS: &str = "\
    org_id text COLLATE \"C\" NOT NULL, conversation_id text COLLATE \"C\" NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted boolean,
    user_id text, agent_id bigint, parent_id text,
    first_message_at timestamptz, first_message_text text,
    user_messages bigint NOT NULL, assistant_messages bigint NOT NULL, messages bigint NOT NULL,
    input_tokens bigint NOT NULL, output_tokens bigint NOT NULL, total_tokens bigint NOT NULL,
    attachments bigint NOT NULL, tool_calls bigint NOT NULL,
    helpful bigint NOT NULL, not_helpful bigint NOT NULL,
    PRIMARY KEY (org_id, conversation_id)";

/// How a conversation's row takes up an addition.
pub const CONVERSATION_UPDATE: &str = "\
    created_at = LEAST(c.created_at, EXCLUDED.created_at),
    updated_at = GREATEST(c.updated_at, EXCLUDED.updated_at),
    deleted = COALESCE(EXCLUDED.deleted, c.deleted),
    user_id = COALESCE(c.user_id, EXCLUDED.user_id),
    agent_id = COALESCE(c.agent_id, EXCLUDED.agent_id),
    parent_id = COALESCE(c.parent_id, EXCLUDED.parent_id),
    first_message_text = CASE WHEN c.first_message_at <= EXCLUDED.first_message_at OR EXCLUDED.first_message_at IS NULL
        THEN c.first_message_text ELSE EXCLUDED.first_message_text END,
    first_message_at = LEAST(c.first_message_at, EXCLUDED.first_message_at),
    user_messages = c.user_messages + EXCLUDED.user_messages,
    assistant_messages = c.assistant_messages + EXCLUDED.assistant_messages,
    messages = c.messages + EXCLUDED.messages,
    input_tokens = c.input_tokens + EXCLUDED.input_tokens,
    output_tokens = c.output_tokens + EXCLUDED.output_tokens,
    total_tokens = c.total_tokens + EXCLUDED.total_tokens,
    attachments = c.attachments + EXCLUDED.attachments,
    tool_calls = c.tool_calls + EXCLUDED.tool_calls,
    helpful = c.helpful + EXCLUDED.helpful,
    not_helpful = c.not_helpful + EXCLUDED.not_helpful";
