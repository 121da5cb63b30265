//! Events independent of the text they were read from.

use std::borrow::Cow;

use crate::{
    AgentProfile, Body, Change, ConversationFields, FeedbackSubmitted, Message, RawJson, ToolCallFinished,
    ToolCallStarted, UserProfile, data::Data,
};

fn string(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

fn strings(text: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
    text.map(string)
}

fn json(json: Option<RawJson<'_>>) -> Option<RawJson<'static>> {
    json.map(RawJson::into_owned)
}

impl Data<'_> {
    /// The same data, borrowing nothing.
    pub fn into_owned(self) -> Data<'static> {
        let body = match self.body {
            Body::Conversation {
                conversation_id,
                change,
            } => Body::Conversation {
                conversation_id: string(conversation_id),
                change: owned_change(change),
            },
            Body::User { user_id, profile } => Body::User {
                user_id: string(user_id),
                profile: profile.map(|profile| UserProfile {
                    email: strings(profile.email),
                    first_name: strings(profile.first_name),
                    last_name: strings(profile.last_name),
                    public_metadata: json(profile.public_metadata),
                }),
            },
            Body::Agent { agent_id, profile } => Body::Agent {
                agent_id,
                profile: AgentProfile {
                    name: strings(profile.name),
                    model: strings(profile.model),
                    logo_url: strings(profile.logo_url),
                },
            },
        };
        Data {
            org_id: string(self.org_id),
            body,
        }
    }
}

fn owned_change(change: Change<'_>) -> Change<'static> {
    match change {
        Change::Upserted(fields) => Change::Upserted(ConversationFields {
            user_id: strings(fields.user_id),
            agent_id: fields.agent_id,
            upstream_conversation_id: strings(fields.upstream_conversation_id),
            created_at: fields.created_at,
        }),
        Change::Deleted => Change::Deleted,
        Change::Restored => Change::Restored,
        Change::Message(message) => Change::Message(Message {
            message_id: string(message.message_id),
            role: string(message.role),
            created_at: message.created_at,
            text: strings(message.text),
            model: strings(message.model),
            finish_reason: strings(message.finish_reason),
            usage: message.usage,
            attachment_count: message.attachment_count,
            user_id: strings(message.user_id),
            agent_id: message.agent_id,
            upstream_conversation_id: strings(message.upstream_conversation_id),
        }),
        Change::MessageDeleted { message_id } => Change::MessageDeleted {
            message_id: string(message_id),
        },
        Change::ToolCallStarted(call) => Change::ToolCallStarted(ToolCallStarted {
            tool_call_id: string(call.tool_call_id),
            tool_name: string(call.tool_name),
            args: json(call.args),
            message_id: strings(call.message_id),
            started_at: call.started_at,
        }),
        Change::ToolCallFinished(call) => Change::ToolCallFinished(ToolCallFinished {
            tool_call_id: string(call.tool_call_id),
            tool_name: strings(call.tool_name),
            result: json(call.result),
            error: json(call.error),
            finished_at: call.finished_at,
        }),
        Change::ToolCallDeleted { tool_call_id } => Change::ToolCallDeleted {
            tool_call_id: string(tool_call_id),
        },
        Change::FeedbackSubmitted(feedback) => Change::FeedbackSubmitted(FeedbackSubmitted {
            feedback_id: string(feedback.feedback_id),
            helpful: feedback.helpful,
            comment: strings(feedback.comment),
            message_id: strings(feedback.message_id),
            user_id: strings(feedback.user_id),
            created_at: feedback.created_at,
        }),
        Change::FeedbackWithdrawn { feedback_id } => Change::FeedbackWithdrawn {
            feedback_id: string(feedback_id),
        },
    }
}
