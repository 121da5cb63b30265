//! How each kind of event changes the state.

use recap_events::{
    Change, ERASED_CONTENT, FeedbackSubmitted, Message, Micros, RawJson, ToolCallFinished, ToolCallStarted,
};

use super::Conversation;
use crate::{
    FeedbackRow, Id, Payload, Stamp,
    erased::Erased,
    part::{self, Part},
    record::{Content, Feedback, Revision, Role, ToolCall},
    stamp::Key,
    tokens::Tokens,
};

impl Conversation {
    /// Folds one event. Returns the payload to write when the event became the current revision of half a
    /// tool call, of a feedback or the latest deletion of a tool call; `None` for everything else, repeated and superseded events included.
    pub fn apply(&mut self, event_id: &str, time: Micros, change: &Change<'_>) -> Option<Payload> {
        let key = Key {
            time,
            id: Id::new(event_id),
        };
        self.dirty |= self.registers.cover(time.to_millis());
        match change {
            Change::Upserted(fields) => self.dirty |= self.registers.upsert(&key, fields),
            Change::Deleted => self.dirty |= self.registers.delete(&key, true),
            Change::Restored => self.dirty |= self.registers.delete(&key, false),
            Change::Message(message) => self.apply_message(key, message),
            Change::MessageDeleted { message_id } => self.put_message(key, message_id, &Revision::Deleted),
            Change::ToolCallStarted(call) => return self.apply_started(key, call),
            Change::ToolCallFinished(call) => return self.apply_finished(key, call),
            Change::ToolCallDeleted { tool_call_id } => {
                return self.apply_call_deleted(key.stamp(ERASED_CONTENT), tool_call_id);
            }
            Change::FeedbackSubmitted(feedback) => return self.apply_submitted(key, feedback),
            Change::FeedbackWithdrawn { feedback_id } => {
                return self.apply_feedback(key.stamp(ERASED_CONTENT), feedback_id, None);
            }
        }
        None
    }

    fn apply_message(&mut self, key: Key, message: &Message<'_>) {
        self.dirty |= self.registers.message(&key, message, &mut self.erased);
        let role = Role::of(&message.role);
        let revision = Revision::Shown(Content {
            created_at: message.created_at,
            role,
            tokens: Tokens::from(&message.usage),
            attachments: message.attachment_count.unwrap_or(0),
            finish_reason: message.finish_reason.as_deref(),
            model: message.model.as_deref().filter(|_| role == Role::Assistant),
        });
        self.put_message(key, &message.message_id, &revision);
    }

    fn put_message(&mut self, key: Key, message_id: &str, revision: &Revision<Option<&str>>) {
        let id = Id::new(message_id);
        let is_first = self
            .registers
            .first_text
            .as_ref()
            .is_some_and(|first| first.message_id == id);
        let changed = self.put(id, |part, id, erased| part.put_message(id, key, revision, erased));
        if is_first && changed {
            self.release_superseded_text(false);
        }
    }

    fn apply_started(&mut self, key: Key, call: &ToolCallStarted<'_>) -> Option<Payload> {
        let stamp = key.stamp(call.content_hash());
        let put =
            |part: &mut Part, id, erased: &mut Erased| part.put_tool_call(ToolCall::started(id, stamp.clone()), erased);
        self.put(Id::new(&call.tool_call_id), put)
            .then(|| Payload::ToolStarted {
                tool_call_id: call.tool_call_id.to_string(),
                tool_name: call.tool_name.to_string(),
                args: json(call.args.as_ref()),
                message_id: owned(call.message_id.as_deref()),
                started_at: call.started_at.unwrap_or(stamp.time.to_millis()),
                stamp,
            })
    }

    fn apply_finished(&mut self, key: Key, call: &ToolCallFinished<'_>) -> Option<Payload> {
        let stamp = key.stamp(call.content_hash());
        let put = |part: &mut Part, id, erased: &mut Erased| {
            part.put_tool_call(ToolCall::finished(id, stamp.clone()), erased)
        };
        self.put(Id::new(&call.tool_call_id), put)
            .then(|| Payload::ToolFinished {
                tool_call_id: call.tool_call_id.to_string(),
                tool_name: owned(call.tool_name.as_deref()),
                result: json(call.result.as_ref()),
                error: json(call.error.as_ref()),
                finished_at: call.finished_at.unwrap_or(stamp.time.to_millis()),
                stamp,
            })
    }

    fn apply_call_deleted(&mut self, stamp: Stamp, tool_call_id: &str) -> Option<Payload> {
        let put =
            |part: &mut Part, id, erased: &mut Erased| part.put_tool_call(ToolCall::deleted(id, stamp.clone()), erased);
        self.put(Id::new(tool_call_id), put).then(|| Payload::ToolDeleted {
            tool_call_id: tool_call_id.to_owned(),
            stamp,
        })
    }

    fn apply_submitted(&mut self, key: Key, feedback: &FeedbackSubmitted<'_>) -> Option<Payload> {
        let created_at = feedback.created_at.unwrap_or(key.time.to_millis());
        let row = || FeedbackRow {
            helpful: feedback.helpful,
            comment: owned(feedback.comment.as_deref()),
            message_id: owned(feedback.message_id.as_deref()),
            user_id: owned(feedback.user_id.as_deref()),
            created_at,
        };
        let stamp = key.stamp(feedback.content_hash());
        self.apply_feedback(stamp, &feedback.feedback_id, Some((feedback.helpful, &row)))
    }

    fn apply_feedback(
        &mut self,
        stamp: Stamp,
        feedback_id: &str,
        submitted: Option<(bool, &dyn Fn() -> FeedbackRow)>,
    ) -> Option<Payload> {
        let verdict = part::verdict(submitted.map(|(helpful, _)| helpful));
        let put = |part: &mut Part, id, erased: &mut Erased| {
            let feedback = Feedback {
                id,
                stamp: stamp.clone(),
                verdict,
            };
            part.put_feedback(feedback, erased)
        };
        self.put(Id::new(feedback_id), put).then(|| Payload::Feedback {
            feedback_id: feedback_id.to_owned(),
            stamp,
            row: submitted.map(|(_, row)| row()),
        })
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn json(json: Option<&RawJson<'_>>) -> Option<String> {
    json.map(|json| json.as_str().to_owned())
}
