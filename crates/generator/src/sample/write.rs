//! Writes what happens as records.

use recap_log::Topic;

use super::{
    Planner,
    cast::{Cast, Role, Seat},
};
use crate::{
    Record,
    render::{Uuid, Writer},
};

/// A part of 1 of the records that is delivered late, and twice.
const LATE: f64 = 0.015;
const TWICE: f64 = 0.01;
/// How much later, at most, in microseconds.
const LATER: u64 = 8_000_000;

/// A message.
pub(super) struct Said {
    pub message: Uuid,
    pub text: String,
    /// Read and written by a model; `None` of a user's.
    pub tokens: Option<(u64, u64)>,
    pub model: &'static str,
    pub finish_reason: &'static str,
    pub attachments: u64,
}

impl Planner {
    /// Writes an event about a conversation.
    pub(super) fn event(
        &mut self,
        time: i64,
        seat: Seat,
        topic: Topic,
        event_type: &str,
        conversation: Uuid,
        data: impl FnOnce(&mut Writer<'_>),
    ) {
        let key = conversation.text().to_vec();
        self.record(time, seat.organization, topic, event_type, key, |out| {
            out.uuid("conversationId", conversation);
            data(out);
        });
    }

    fn record(
        &mut self,
        time: i64,
        organization: usize,
        topic: Topic,
        event_type: &str,
        key: Vec<u8>,
        data: impl FnOnce(&mut Writer<'_>),
    ) {
        let organization = self.cast.organization_id(organization);
        let mut value = Vec::new();
        let mut out = Writer {
            out: &mut value,
            calendar: &mut self.calendar,
            words: &self.words,
            random: &mut self.random,
        };
        out.open(event_type, time, &organization);
        data(&mut out);
        out.close();
        let record = Record {
            topic,
            key,
            value,
            time,
            invalid: false,
        };
        if self.random.chance(TWICE) {
            let again = time + self.random.below(LATER).cast_signed();
            self.schedule(again, record.clone());
        }
        let delay = if self.random.chance(LATE) {
            self.random.below(LATER).cast_signed()
        } else {
            0
        };
        self.schedule(time + delay, record);
    }

    pub(super) fn announce(&mut self, time: i64, seat: Seat, role: Role, conversation: Uuid, parent: Option<Uuid>) {
        let user = self.cast.person(seat).user_id;
        self.event(
            time,
            seat,
            Topic::Conversations,
            "conversation.upserted",
            conversation,
            |out| {
                out.string("userId", &user);
                out.number("agentId", Cast::agent_id(seat.organization, role));
                if let Some(parent) = parent {
                    out.uuid("upstreamConversationId", parent);
                }
                out.time("createdAt", time);
            },
        );
    }

    pub(super) fn write_message(&mut self, time: i64, seat: Seat, role: Role, conversation: Uuid, said: &Said) {
        let user = self.cast.person(seat).user_id;
        self.event(time, seat, Topic::Messages, "message.upserted", conversation, |out| {
            out.uuid("messageId", said.message);
            out.string("role", if said.tokens.is_some() { "assistant" } else { "user" });
            out.time("createdAt", time);
            out.string("text", &said.text);
            if let Some((read, written)) = said.tokens {
                out.string("model", said.model);
                out.string("finishReason", said.finish_reason);
                out.json(
                    "usage",
                    &format!(r#"{{"inputTokens":{read},"outputTokens":{written}}}"#),
                );
                out.number("agentId", Cast::agent_id(seat.organization, role));
            } else {
                if said.attachments > 0 {
                    out.number("attachmentCount", said.attachments);
                }
                out.string("userId", &user);
            }
        });
    }

    /// Everybody's profile, before anything else happens.
    pub(super) fn introduce(&mut self, time: i64) {
        for organization in 0..Cast::organizations() {
            let id = self.cast.organization_id(organization);
            for role in Role::ALL {
                let agent = Cast::agent_id(organization, role);
                self.record(
                    time,
                    organization,
                    Topic::Agents,
                    "agent.upserted",
                    format!("{id}/{agent}").into_bytes(),
                    |out| {
                        out.number("agentId", agent);
                        out.string("name", role.name());
                        out.string("model", role.models()[0]);
                        out.string("logoUrl", &format!("https://cdn.example.com/agents/{agent}.png"));
                    },
                );
            }
            for user in 0..Cast::people(organization) {
                let seat = Seat { organization, user };
                let person = self.cast.person(seat);
                self.record(
                    time,
                    organization,
                    Topic::Users,
                    "user.upserted",
                    format!("{id}/{}", person.user_id).into_bytes(),
                    |out| {
                        out.string("userId", &person.user_id);
                        out.string("email", &person.email);
                        out.string("firstName", person.first_name);
                        out.string("lastName", person.last_name);
                        out.json("publicMetadata", &Cast::metadata(seat));
                    },
                );
            }
        }
    }
}
