//! The `data` of each event type.

use std::borrow::Cow;

use crate::{
    AgentProfile, Body, Change, ConversationFields, EventType, FeedbackSubmitted, Message, ToolCallFinished,
    ToolCallStarted, UserProfile,
    json::Scan,
    reader::{Reader, Slot},
    usage::UsageSlots,
};

/// What `data` says.
#[derive(Debug)]
pub(crate) struct Data<'a> {
    pub org_id: Cow<'a, str>,
    pub body: Body<'a>,
}

type Id<'a> = Slot<Cow<'a, str>>;
type Read<'a> = Scan<Option<Data<'a>>>;

/// Reads the value here as the `data` of an event of that type; `None` when a breach was noted.
pub(crate) fn read<'a>(r: &mut Reader<'a>, event_type: EventType) -> Read<'a> {
    match event_type {
        EventType::MessageUpserted => message(r),
        EventType::ToolCallStarted => tool_call_started(r),
        EventType::ToolCallFinished => tool_call_finished(r),
        EventType::FeedbackSubmitted => feedback_submitted(r),
        EventType::MessageDeleted => removed(r, "messageId", |message_id| Change::MessageDeleted { message_id }),
        EventType::ToolCallDeleted => removed(r, "toolCallId", |tool_call_id| Change::ToolCallDeleted { tool_call_id }),
        EventType::FeedbackWithdrawn => {
            removed(r, "feedbackId", |feedback_id| Change::FeedbackWithdrawn { feedback_id })
        }
        EventType::ConversationUpserted => conversation_upserted(r),
        EventType::ConversationDeleted => bare_conversation(r, Change::Deleted),
        EventType::ConversationRestored => bare_conversation(r, Change::Restored),
        EventType::UserUpserted => user_upserted(r),
        EventType::UserDeleted => user_deleted(r),
        EventType::AgentUpserted => agent_upserted(r),
    }
}

/// The two ids every conversation event has.
#[derive(Default)]
struct Scope<'a> {
    org: Id<'a>,
    conversation: Id<'a>,
}

impl<'a> Scope<'a> {
    /// Reads a field of no special meaning to the event's type.
    #[inline]
    fn field(&mut self, r: &mut Reader<'a>, key: &str) -> Scan<()> {
        match key {
            "orgId" => r.id(key, &mut self.org),
            "conversationId" => r.id(key, &mut self.conversation),
            _ => r.skip(),
        }
    }

    #[inline]
    fn finish(self, r: &mut Reader<'a>) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let org_id = r.required("orgId", self.org);
        let conversation_id = r.required("conversationId", self.conversation);
        org_id.zip(conversation_id)
    }
}

#[inline]
fn in_conversation<'a>(ids: (Cow<'a, str>, Cow<'a, str>), change: Change<'a>) -> Data<'a> {
    Data {
        org_id: ids.0,
        body: Body::Conversation {
            conversation_id: ids.1,
            change,
        },
    }
}

fn bare_conversation<'a>(r: &mut Reader<'a>, change: Change<'a>) -> Read<'a> {
    let mut scope = Scope::default();
    if !r.object("data", |r, key| scope.field(r, key))? {
        return Ok(None);
    }
    Ok(scope.finish(r).map(|ids| in_conversation(ids, change)))
}

fn conversation_upserted<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let mut scope = Scope::default();
    let (mut user_id, mut upstream_conversation_id) = (Id::default(), Id::default());
    let mut agent_id = Slot::default();
    let mut created_at = Slot::default();
    let is_object = r.object("data", |r, key| match key {
        "userId" => r.id(key, &mut user_id),
        "agentId" => r.agent_id(key, &mut agent_id),
        "upstreamConversationId" => r.id(key, &mut upstream_conversation_id),
        "createdAt" => r.millis(key, &mut created_at),
        _ => scope.field(r, key),
    })?;
    if !is_object {
        return Ok(None);
    }
    Ok(scope.finish(r).map(|ids| {
        in_conversation(
            ids,
            Change::Upserted(ConversationFields {
                user_id: user_id.take(),
                agent_id: agent_id.take(),
                upstream_conversation_id: upstream_conversation_id.take(),
                created_at: created_at.take(),
            }),
        )
    }))
}

#[derive(Default)]
struct MessageSlots<'a> {
    message_id: Id<'a>,
    role: Slot<Cow<'a, str>>,
    created_at: Slot<crate::Millis>,
    text: Slot<Cow<'a, str>>,
    model: Slot<Cow<'a, str>>,
    finish_reason: Slot<Cow<'a, str>>,
    usage: Slot<UsageSlots>,
    attachment_count: Slot<u32>,
    user_id: Id<'a>,
    agent_id: Slot<i64>,
    upstream_conversation_id: Id<'a>,
}

fn message<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let mut scope = Scope::default();
    let mut slots = MessageSlots::default();
    let is_object = r.object("data", |r, key| match key {
        "messageId" => r.id(key, &mut slots.message_id),
        "role" => r.name(key, &mut slots.role),
        "createdAt" => r.millis(key, &mut slots.created_at),
        "text" => r.text(key, &mut slots.text),
        "model" => r.text(key, &mut slots.model),
        "finishReason" => r.text(key, &mut slots.finish_reason),
        "usage" => r.nested((key, "usage."), &mut slots.usage, UsageSlots::field),
        "attachmentCount" => r.count(key, &mut slots.attachment_count),
        "userId" => r.id(key, &mut slots.user_id),
        "agentId" => r.agent_id(key, &mut slots.agent_id),
        "upstreamConversationId" => r.id(key, &mut slots.upstream_conversation_id),
        _ => scope.field(r, key),
    })?;
    if !is_object {
        return Ok(None);
    }
    let ids = scope.finish(r);
    let message_id = r.required("messageId", slots.message_id);
    let role = r.required("role", slots.role);
    let created_at = r.required("createdAt", slots.created_at);
    let (Some(ids), Some(message_id), Some(role), Some(created_at)) = (ids, message_id, role, created_at) else {
        return Ok(None);
    };
    let usage = slots.usage.take().unwrap_or_default().finish();
    Ok(Some(in_conversation(
        ids,
        Change::Message(Message {
            message_id,
            role,
            created_at,
            text: slots.text.take(),
            model: slots.model.take(),
            finish_reason: slots.finish_reason.take(),
            usage,
            attachment_count: slots.attachment_count.take(),
            user_id: slots.user_id.take(),
            agent_id: slots.agent_id.take(),
            upstream_conversation_id: slots.upstream_conversation_id.take(),
        }),
    )))
}

fn tool_call_started<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let mut scope = Scope::default();
    let (mut tool_call_id, mut message_id) = (Id::default(), Id::default());
    let mut tool_name = Slot::default();
    let mut args = Slot::default();
    let mut started_at = Slot::default();
    let is_object = r.object("data", |r, key| match key {
        "toolCallId" => r.id(key, &mut tool_call_id),
        "toolName" => r.name(key, &mut tool_name),
        "args" => r.any(key, &mut args),
        "messageId" => r.id(key, &mut message_id),
        "startedAt" => r.millis(key, &mut started_at),
        _ => scope.field(r, key),
    })?;
    if !is_object {
        return Ok(None);
    }
    let ids = scope.finish(r);
    let tool_call_id = r.required("toolCallId", tool_call_id);
    let tool_name = r.required("toolName", tool_name);
    let (Some(ids), Some(tool_call_id), Some(tool_name)) = (ids, tool_call_id, tool_name) else {
        return Ok(None);
    };
    Ok(Some(in_conversation(
        ids,
        Change::ToolCallStarted(ToolCallStarted {
            tool_call_id,
            tool_name,
            args: args.take(),
            message_id: message_id.take(),
            started_at: started_at.take(),
        }),
    )))
}

fn tool_call_finished<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let mut scope = Scope::default();
    let mut tool_call_id = Id::default();
    let mut tool_name = Slot::default();
    let (mut result, mut error) = (Slot::default(), Slot::default());
    let mut finished_at = Slot::default();
    let is_object = r.object("data", |r, key| match key {
        "toolCallId" => r.id(key, &mut tool_call_id),
        "toolName" => r.name(key, &mut tool_name),
        "result" => r.any(key, &mut result),
        "error" => r.any(key, &mut error),
        "finishedAt" => r.millis(key, &mut finished_at),
        _ => scope.field(r, key),
    })?;
    if !is_object {
        return Ok(None);
    }
    let ids = scope.finish(r);
    let tool_call_id = r.required("toolCallId", tool_call_id);
    Ok(ids.zip(tool_call_id).map(|(ids, tool_call_id)| {
        in_conversation(
            ids,
            Change::ToolCallFinished(ToolCallFinished {
                tool_call_id,
                tool_name: tool_name.take(),
                result: result.take(),
                error: error.take(),
                finished_at: finished_at.take(),
            }),
        )
    }))
}

fn feedback_submitted<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let mut scope = Scope::default();
    let (mut feedback_id, mut message_id, mut user_id) = (Id::default(), Id::default(), Id::default());
    let mut helpful = Slot::default();
    let mut comment = Slot::default();
    let mut created_at = Slot::default();
    let is_object = r.object("data", |r, key| match key {
        "feedbackId" => r.id(key, &mut feedback_id),
        "helpful" => r.boolean(key, &mut helpful),
        "comment" => r.text(key, &mut comment),
        "messageId" => r.id(key, &mut message_id),
        "userId" => r.id(key, &mut user_id),
        "createdAt" => r.millis(key, &mut created_at),
        _ => scope.field(r, key),
    })?;
    if !is_object {
        return Ok(None);
    }
    let ids = scope.finish(r);
    let feedback_id = r.required("feedbackId", feedback_id);
    let helpful = r.required("helpful", helpful);
    let (Some(ids), Some(feedback_id), Some(helpful)) = (ids, feedback_id, helpful) else {
        return Ok(None);
    };
    Ok(Some(in_conversation(
        ids,
        Change::FeedbackSubmitted(FeedbackSubmitted {
            feedback_id,
            helpful,
            comment: comment.take(),
            message_id: message_id.take(),
            user_id: user_id.take(),
            created_at: created_at.take(),
        }),
    )))
}

/// An event that takes away what the id in the field `name` names.
fn removed<'a>(r: &mut Reader<'a>, name: &str, change: fn(Cow<'a, str>) -> Change<'a>) -> Read<'a> {
    let mut scope = Scope::default();
    let mut id = Id::default();
    let is_object = r.object("data", |r, key| {
        if key == name {
            r.id(key, &mut id)
        } else {
            scope.field(r, key)
        }
    })?;
    if !is_object {
        return Ok(None);
    }
    let ids = scope.finish(r);
    let id = r.required(name, id);
    Ok(ids.zip(id).map(|(ids, id)| in_conversation(ids, change(id))))
}

fn user_upserted<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let (mut org_id, mut user_id) = (Id::default(), Id::default());
    let (mut email, mut first_name, mut last_name) = (Slot::default(), Slot::default(), Slot::default());
    let mut public_metadata = Slot::default();
    let is_object = r.object("data", |r, key| match key {
        "orgId" => r.id(key, &mut org_id),
        "userId" => r.id(key, &mut user_id),
        "email" => r.text(key, &mut email),
        "firstName" => r.text(key, &mut first_name),
        "lastName" => r.text(key, &mut last_name),
        "publicMetadata" => r.metadata(key, &mut public_metadata),
        _ => r.skip(),
    })?;
    if !is_object {
        return Ok(None);
    }
    let profile = UserProfile {
        email: email.take(),
        first_name: first_name.take(),
        last_name: last_name.take(),
        public_metadata: public_metadata.take(),
    };
    Ok(user(r, org_id, user_id, Some(profile)))
}

fn user_deleted<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let (mut org_id, mut user_id) = (Id::default(), Id::default());
    let is_object = r.object("data", |r, key| match key {
        "orgId" => r.id(key, &mut org_id),
        "userId" => r.id(key, &mut user_id),
        _ => r.skip(),
    })?;
    if !is_object {
        return Ok(None);
    }
    Ok(user(r, org_id, user_id, None))
}

fn user<'a>(r: &mut Reader<'a>, org_id: Id<'a>, user_id: Id<'a>, profile: Option<UserProfile<'a>>) -> Option<Data<'a>> {
    let org_id = r.required("orgId", org_id);
    let user_id = r.required("userId", user_id);
    org_id.zip(user_id).map(|(org_id, user_id)| Data {
        org_id,
        body: Body::User { user_id, profile },
    })
}

fn agent_upserted<'a>(r: &mut Reader<'a>) -> Read<'a> {
    let mut org_id = Id::default();
    let mut agent_id = Slot::default();
    let (mut name, mut model, mut logo_url) = (Slot::default(), Slot::default(), Slot::default());
    let is_object = r.object("data", |r, key| match key {
        "orgId" => r.id(key, &mut org_id),
        "agentId" => r.agent_id(key, &mut agent_id),
        "name" => r.text(key, &mut name),
        "model" => r.text(key, &mut model),
        "logoUrl" => r.text(key, &mut logo_url),
        _ => r.skip(),
    })?;
    if !is_object {
        return Ok(None);
    }
    let org_id = r.required("orgId", org_id);
    let agent_id = r.required("agentId", agent_id);
    Ok(org_id.zip(agent_id).map(|(org_id, agent_id)| Data {
        org_id,
        body: Body::Agent {
            agent_id,
            profile: AgentProfile {
                name: name.take(),
                model: model.take(),
                logo_url: logo_url.take(),
            },
        },
    }))
}
