//! Ways to write one event as JSON.

use std::{borrow::Cow, fmt::Write as _};

use chrono::{DateTime, SecondsFormat};
use proptest::prelude::*;
use recap_events::{Body, Change, Event, Micros, Millis, RawJson};

type Fields = Vec<(&'static str, Option<String>)>;

/// How the JSON is spelt.
#[derive(Debug, Clone)]
pub struct Spelling {
    /// Stands wherever JSON allows whitespace.
    space: &'static str,
    /// Absent fields are written as `null`.
    nulls: bool,
    /// Objects of the contract hold a field outside it.
    unknown: bool,
    /// Every character of every string is an escape.
    escaped: bool,
    /// Which field comes first, and in which direction they run.
    order: usize,
}

pub fn spelling() -> impl Strategy<Value = Spelling> {
    any::<(bool, bool, bool, bool, u16)>().prop_map(|(spaced, nulls, unknown, escaped, order)| Spelling {
        space: if spaced { " \r\n\t" } else { "" },
        nulls,
        unknown,
        escaped,
        order: order.into(),
    })
}

pub fn rfc3339(time: Micros) -> String {
    match DateTime::from_timestamp_micros(time.0) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => panic!("{time:?} is out of chrono's range"),
    }
}

impl Spelling {
    pub fn event(&self, event: &Event<'_>) -> String {
        self.object(vec![
            ("specversion", Some(self.string("1.0"))),
            ("id", Some(self.string(&event.id))),
            ("source", None),
            ("type", Some(self.string(event.event_type().as_str()))),
            ("time", Some(self.string(&rfc3339(event.time)))),
            ("data", Some(self.data(event))),
        ])
    }

    pub fn data(&self, event: &Event<'_>) -> String {
        let mut fields = self.body(&event.body);
        fields.push(("orgId", Some(self.string(&event.org_id))));
        self.object(fields)
    }

    fn string(&self, text: &str) -> String {
        if !self.escaped {
            return serde_json::Value::from(text).to_string();
        }
        let mut units = String::new();
        for unit in text.encode_utf16() {
            let _ = write!(units, "\\u{unit:04X}");
        }
        format!("\"{units}\"")
    }

    fn optional(&self, text: Option<&Cow<'_, str>>) -> Option<String> {
        text.map(|text| self.string(text))
    }

    fn millis(&self, time: Option<Millis>) -> Option<String> {
        time.map(|time| self.string(&rfc3339(Micros(time.0 * 1_000))))
    }

    fn object(&self, mut fields: Fields) -> String {
        if self.unknown {
            let value = r#"[{"_":[" \"]}"]},-1.5e3,null]"#;
            fields.push(("_", Some(String::from(value))));
        }
        let first = self.order % fields.len();
        fields.rotate_left(first);
        if self.order.is_multiple_of(2) {
            fields.reverse();
        }
        let space = self.space;
        let members: Vec<_> = fields
            .into_iter()
            .filter(|(_, value)| value.is_some() || self.nulls)
            .map(|(key, value)| {
                let value = value.unwrap_or_else(|| String::from("null"));
                format!("{space}{}{space}:{space}{value}{space}", self.string(key))
            })
            .collect();
        format!("{{{space}{}}}", members.join(","))
    }

    fn body(&self, body: &Body<'_>) -> Fields {
        match body {
            Body::Conversation {
                conversation_id,
                change,
            } => {
                let mut fields = self.change(change);
                fields.push(("conversationId", Some(self.string(conversation_id))));
                fields
            }
            Body::User { user_id, profile } => {
                let mut fields = vec![("userId", Some(self.string(user_id)))];
                if let Some(f) = profile {
                    fields.push(("email", self.optional(f.email.as_ref())));
                    fields.push(("firstName", self.optional(f.first_name.as_ref())));
                    fields.push(("lastName", self.optional(f.last_name.as_ref())));
                    fields.push(("publicMetadata", json(f.public_metadata.as_ref())));
                }
                fields
            }
            Body::Agent { agent_id, profile } => vec![
                ("agentId", Some(agent_id.to_string())),
                ("name", self.optional(profile.name.as_ref())),
                ("model", self.optional(profile.model.as_ref())),
                ("logoUrl", self.optional(profile.logo_url.as_ref())),
            ],
        }
    }

    fn change(&self, change: &Change<'_>) -> Fields {
        match change {
            Change::Deleted | Change::Restored => vec![],
            Change::FeedbackWithdrawn { feedback_id } => {
                vec![("feedbackId", Some(self.string(feedback_id)))]
            }
            Change::MessageDeleted { message_id } => vec![("messageId", Some(self.string(message_id)))],
            Change::ToolCallDeleted { tool_call_id } => vec![("toolCallId", Some(self.string(tool_call_id)))],
            Change::Message(message) => self.message(message),
            Change::Upserted(f) => vec![
                ("userId", self.optional(f.user_id.as_ref())),
                ("agentId", f.agent_id.map(|id| id.to_string())),
                (
                    "upstreamConversationId",
                    self.optional(f.upstream_conversation_id.as_ref()),
                ),
                ("createdAt", self.millis(f.created_at)),
            ],
            Change::ToolCallStarted(f) => vec![
                ("toolCallId", Some(self.string(&f.tool_call_id))),
                ("toolName", Some(self.string(&f.tool_name))),
                ("args", json(f.args.as_ref())),
                ("messageId", self.optional(f.message_id.as_ref())),
                ("startedAt", self.millis(f.started_at)),
            ],
            Change::ToolCallFinished(f) => vec![
                ("toolCallId", Some(self.string(&f.tool_call_id))),
                ("toolName", self.optional(f.tool_name.as_ref())),
                ("result", json(f.result.as_ref())),
                ("error", json(f.error.as_ref())),
                ("finishedAt", self.millis(f.finished_at)),
            ],
            Change::FeedbackSubmitted(f) => vec![
                ("feedbackId", Some(self.string(&f.feedback_id))),
                ("helpful", Some(f.helpful.to_string())),
                ("comment", self.optional(f.comment.as_ref())),
                ("messageId", self.optional(f.message_id.as_ref())),
                ("userId", self.optional(f.user_id.as_ref())),
                ("createdAt", self.millis(f.created_at)),
            ],
        }
    }

    fn message(&self, f: &recap_events::Message<'_>) -> Fields {
        let number = |count: Option<u32>| count.map(|count| count.to_string());
        let usage = self.object(vec![
            ("inputTokens", number(f.usage.input_tokens)),
            ("outputTokens", number(f.usage.output_tokens)),
            ("totalTokens", number(f.usage.total_tokens)),
        ]);
        vec![
            ("messageId", Some(self.string(&f.message_id))),
            ("role", Some(self.string(&f.role))),
            ("createdAt", self.millis(Some(f.created_at))),
            ("text", self.optional(f.text.as_ref())),
            ("model", self.optional(f.model.as_ref())),
            ("finishReason", self.optional(f.finish_reason.as_ref())),
            ("usage", Some(usage)),
            ("attachmentCount", number(f.attachment_count)),
            ("userId", self.optional(f.user_id.as_ref())),
            ("agentId", f.agent_id.map(|id| id.to_string())),
            (
                "upstreamConversationId",
                self.optional(f.upstream_conversation_id.as_ref()),
            ),
        ]
    }
}

fn json(raw: Option<&RawJson<'_>>) -> Option<String> {
    raw.map(ToString::to_string)
}
