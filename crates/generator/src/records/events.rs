//! The event types.

use recap_log::Topic;

use super::{Conversation, Records};
use crate::{
    Record,
    random::{Random, derive},
    render::Uuid,
};

const MODELS: [&str; 4] = ["gpt-5.1", "claude-opus-4-5", "gemini-3-pro", "mistral-large-3"];
const TOOLS: [&str; 5] = ["search", "lookup_order", "run_sql", "send_mail", "fetch_page"];
const FINISH_REASONS: [&str; 4] = ["stop", "stop", "length", "tool_calls"];
const FIRST_NAMES: [&str; 8] = ["Ada", "Linus", "Grace", "Zoë", "Ravi", "Mei", "José", "Anna"];
const LAST_NAMES: [&str; 8] = [
    "Meyer", "O'Neil", "Nguyễn", "García", "Smith", "Kowalska", "Okafor", "Tanaka",
];
const DEPARTMENTS: [&str; 4] = ["sales", "support", "research", "finance"];
const PLANS: [&str; 3] = ["free", "pro", "enterprise"];

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.index(from.len())]
}

/// Ids derived from their conversation, so that revisions and second halves find them again.
fn member_id(seed: u64, kind: u64, conversation: u64, serial: u32) -> Uuid {
    let serial = (conversation << 20) | u64::from(serial);
    Uuid::random(derive(seed, kind, serial), derive(seed, kind + 1, serial))
}

/// Role of a conversation's nth message: user and assistant alternately, now and then a system prompt or a tool's answer.
fn role(conversation: u64, message: u32) -> &'static str {
    match (conversation % 16, message) {
        (0, 0) => "system",
        (1, 5) => "tool",
        (_, message) if message % 2 == 0 => "user",
        _ => "assistant",
    }
}

impl Records {
    /// The next message of a conversation.
    pub(super) fn write_message(&mut self, index: usize, record: &mut Record) {
        let now = self.now;
        let conversation = &mut self.conversations[index];
        let message = conversation.messages;
        conversation.messages += 1;
        conversation.last_message_at = now;
        if message == 0 {
            conversation.first_message_at = now;
        }
        let conversation = *conversation;
        let text = !self.random.chance(0.02);
        self.render_message(&conversation, message, now, text, record);
    }

    /// A conversation's first or latest message again: another text, or none.
    pub(super) fn write_revision(&mut self, index: usize, record: &mut Record) {
        let conversation = self.conversations[index];
        let (message, created_at) = if self.random.chance(0.25) {
            (0, conversation.first_message_at)
        } else {
            (conversation.messages - 1, conversation.last_message_at)
        };
        let text = self.random.chance(0.7);
        self.render_message(&conversation, message, created_at, text, record);
    }

    fn render_message(
        &mut self,
        conversation: &Conversation,
        message: u32,
        created_at: i64,
        text: bool,
        record: &mut Record,
    ) {
        let (now, seed, chars) = (self.now, self.world.config.seed, self.world.config.text_chars);
        let population = &self.world.population;
        let organization = population.organization_id(conversation.organization).to_owned();
        let user = population.user_id(conversation.organization, conversation.user);
        let agent = population.agent_id(conversation.organization, conversation.agent);
        let role = role(conversation.serial, message);
        let mut out = self.writer(record, Topic::Messages, &conversation.id.text());
        out.open("message.upserted", now, &organization);
        out.uuid("conversationId", conversation.id);
        out.uuid("messageId", member_id(seed, 5, conversation.serial, message));
        out.string("role", role);
        out.time("createdAt", created_at);
        if text {
            let chars = out.random.skewed(chars);
            out.text("text", chars);
        }
        if role == "assistant" {
            let model = pick(out.random, &MODELS);
            out.string("model", model);
            let finish = pick(out.random, &FINISH_REASONS);
            out.string("finishReason", finish);
            let (input, output) = (50 + out.random.below(4_000), 10 + out.random.below(800));
            out.raw(b",\"usage\":{\"inputTokens\":");
            out.raw(input.to_string().as_bytes());
            out.number("outputTokens", output);
            if out.random.chance(0.3) {
                out.number("totalTokens", input + output + 7);
            }
            out.raw(b"}");
            out.number("agentId", agent);
        } else {
            if out.random.chance(0.1) {
                let attachments = 1 + out.random.below(4);
                out.number("attachmentCount", attachments);
            }
            out.string("userId", &user);
        }
        if let Some(parent) = conversation.parent.filter(|_| !conversation.announced) {
            out.uuid("upstreamConversationId", parent);
        }
        out.close();
    }

    /// A message of no other conversation, to be spoilt.
    pub(super) fn write_spare_message(&mut self, record: &mut Record) {
        let now = self.now;
        let organization = self.world.population.organization_id(0).to_owned();
        let conversation = Uuid::random(self.random.next(), self.random.next());
        let message = Uuid::random(self.random.next(), self.random.next());
        let mut out = self.writer(record, Topic::Messages, &conversation.text());
        out.open("message.upserted", now, &organization);
        out.uuid("conversationId", conversation);
        out.uuid("messageId", message);
        out.string("role", "user");
        out.time("createdAt", now);
        out.text("text", 60);
        out.close();
    }

    pub(super) fn write_announcement(&mut self, conversation: &Conversation, record: &mut Record) {
        let now = self.now;
        let population = &self.world.population;
        let organization = population.organization_id(conversation.organization).to_owned();
        let user = population.user_id(conversation.organization, conversation.user);
        let agent = population.agent_id(conversation.organization, conversation.agent);
        let mut out = self.writer(record, Topic::Conversations, &conversation.id.text());
        out.open("conversation.upserted", now, &organization);
        out.uuid("conversationId", conversation.id);
        out.string("userId", &user);
        out.number("agentId", agent);
        if let Some(parent) = conversation.parent {
            out.uuid("upstreamConversationId", parent);
        }
        if out.random.chance(0.5) {
            out.time("createdAt", now);
        }
        out.close();
    }

    /// Deletes a conversation, or restores one deleted before: half of the deletions are undone a little later.
    pub(super) fn write_lifecycle(&mut self, index: usize, record: &mut Record) {
        let conversation = self.conversations[index];
        if self.random.chance(0.5) {
            let mut undo = Record::default();
            let now = self.now;
            let step = self.step;
            let distance = 1 + self.random.below_u32(self.world.config.in_flight.max(1));
            self.now += step * i64::from(distance);
            self.render_lifecycle(&conversation, "conversation.restored", &mut undo);
            self.now = now;
            if self.world.config.events - self.emitted > self.held.len() as u64 + 2 {
                // A little after its time, as duplicates count as records without moving the clock.
                self.hold_for(u64::from(distance + distance / 8 + 2), undo);
            }
        }
        self.render_lifecycle(&conversation, "conversation.deleted", record);
    }

    fn render_lifecycle(&mut self, conversation: &Conversation, event_type: &str, record: &mut Record) {
        let now = self.now;
        let organization = self
            .world
            .population
            .organization_id(conversation.organization)
            .to_owned();
        let mut out = self.writer(record, Topic::Conversations, &conversation.id.text());
        out.open(event_type, now, &organization);
        out.uuid("conversationId", conversation.id);
        out.close();
    }

    /// Deletes a conversation's first or latest message, or its latest tool call; `false` when it has none.
    pub(super) fn write_deletion(&mut self, index: usize, record: &mut Record) -> bool {
        let (now, seed) = (self.now, self.world.config.seed);
        let conversation = self.conversations[index];
        let (topic, event_type, name, id) = match self.random.below(4) {
            0 | 1 if conversation.tool_calls > 0 => {
                let call = member_id(seed, 7, conversation.serial, conversation.tool_calls);
                (Topic::ToolCalls, "tool_call.deleted", "toolCallId", call)
            }
            dice if conversation.messages > 0 => {
                let message = if dice == 2 { 0 } else { conversation.messages - 1 };
                let message = member_id(seed, 5, conversation.serial, message);
                (Topic::Messages, "message.deleted", "messageId", message)
            }
            _ => return false,
        };
        let organization = self
            .world
            .population
            .organization_id(conversation.organization)
            .to_owned();
        let mut out = self.writer(record, topic, &conversation.id.text());
        out.open(event_type, now, &organization);
        out.uuid("conversationId", conversation.id);
        out.uuid(name, id);
        out.close();
        true
    }

    /// The second half of the conversation's open tool call, or the first half of another.
    pub(super) fn write_tool_call(&mut self, index: usize, record: &mut Record) {
        let (now, seed, sizes) = (self.now, self.world.config.seed, self.world.config.payload_bytes);
        let conversation = &mut self.conversations[index];
        let finishes = conversation.open_tool_call;
        conversation.open_tool_call = !finishes;
        if !finishes {
            conversation.tool_calls += 1;
        }
        let conversation = *conversation;
        let organization = self
            .world
            .population
            .organization_id(conversation.organization)
            .to_owned();
        let tool_call = member_id(seed, 7, conversation.serial, conversation.tool_calls);
        let mut out = self.writer(record, Topic::ToolCalls, &conversation.id.text());
        let event_type = if finishes {
            "tool_call.finished"
        } else {
            "tool_call.started"
        };
        out.open(event_type, now, &organization);
        out.uuid("conversationId", conversation.id);
        out.uuid("toolCallId", tool_call);
        let bytes = out.random.skewed(sizes);
        if finishes {
            let failed = out.random.chance(0.1);
            out.payload(if failed { "error" } else { "result" }, bytes);
            if out.random.chance(0.8) {
                out.time("finishedAt", now);
            }
        } else {
            let any = pick(out.random, &TOOLS);
            out.string("toolName", any);
            out.payload("args", bytes);
            if conversation.messages > 0 {
                let message = member_id(seed, 5, conversation.serial, conversation.messages - 1);
                out.uuid("messageId", message);
            }
            if out.random.chance(0.8) {
                out.time("startedAt", now);
            }
        }
        out.close();
    }

    /// Feedback given, changed, withdrawn or given again.
    pub(super) fn write_feedback(&mut self, index: usize, record: &mut Record) {
        let (now, seed) = (self.now, self.world.config.seed);
        let conversation = &mut self.conversations[index];
        let dice = self.random.below(10);
        let withdraws = dice == 0 && conversation.feedback > 0 && !conversation.withdrawn;
        let again = (dice == 1 || conversation.withdrawn) && conversation.feedback > 0;
        if !withdraws && !again {
            conversation.feedback += 1;
        }
        conversation.withdrawn = withdraws;
        let conversation = *conversation;
        let population = &self.world.population;
        let organization = population.organization_id(conversation.organization).to_owned();
        let user = population.user_id(conversation.organization, conversation.user);
        let mut out = self.writer(record, Topic::Feedback, &conversation.id.text());
        let event_type = if withdraws {
            "feedback.withdrawn"
        } else {
            "feedback.submitted"
        };
        out.open(event_type, now, &organization);
        out.uuid("conversationId", conversation.id);
        out.uuid(
            "feedbackId",
            member_id(seed, 9, conversation.serial, conversation.feedback),
        );
        if !withdraws {
            let helpful = out.random.chance(0.75);
            out.boolean("helpful", helpful);
            if out.random.chance(0.3) {
                let chars = out.random.skewed((10, 300));
                out.text("comment", chars);
            }
            if conversation.messages > 0 {
                let message = member_id(seed, 5, conversation.serial, conversation.messages - 1);
                out.uuid("messageId", message);
            }
            out.string("userId", &user);
            if out.random.chance(0.5) {
                out.time("createdAt", now);
            }
        }
        out.close();
    }

    /// The profile of a conversation's user or agent again; one in a hundred users is deleted.
    pub(super) fn write_profile_change(&mut self, index: usize, record: &mut Record) {
        let Conversation {
            organization,
            user,
            agent,
            ..
        } = self.conversations[index];
        match self.random.below(100) {
            0 => {
                let (now, population) = (self.now, &self.world.population);
                let (organization, user) = (
                    population.organization_id(organization).to_owned(),
                    population.user_id(organization, user),
                );
                let key = format!("{organization}/{user}");
                let mut out = self.writer(record, Topic::Users, key.as_bytes());
                out.open("user.deleted", now, &organization);
                out.string("userId", &user);
                out.close();
            }
            1..20 => self.write_agent(organization, agent, record),
            _ => self.write_user(organization, user, record),
        }
    }

    pub(super) fn write_user(&mut self, organization: u32, user: u32, record: &mut Record) {
        let (now, population) = (self.now, &self.world.population);
        let number = population.user_index(organization, user);
        let (organization, user) = (
            population.organization_id(organization).to_owned(),
            population.user_id(organization, user),
        );
        let key = format!("{organization}/{user}");
        let mut out = self.writer(record, Topic::Users, key.as_bytes());
        out.open("user.upserted", now, &organization);
        out.string("userId", &user);
        out.string("email", &format!("user{number}@example.com"));
        out.string("firstName", FIRST_NAMES[number % FIRST_NAMES.len()]);
        out.string("lastName", LAST_NAMES[number / FIRST_NAMES.len() % LAST_NAMES.len()]);
        let plan = pick(out.random, &PLANS);
        let department = pick(out.random, &DEPARTMENTS);
        let (floor, beta) = (out.random.below(9), out.random.chance(0.2));
        let metadata = format!(
            ",\"publicMetadata\":{{\"customerId\":\"customer-{number}\",\"plan\":\"{plan}\",\"seats\":{},\"beta\":{beta},\
             \"department\":{{\"name\":\"{department}\",\"floor\":{floor}}},\"tags\":[\"{plan}\",\"{department}\"],\
             \"manager\":null}}",
            number % 40,
        );
        out.raw(metadata.as_bytes());
        out.close();
    }

    pub(super) fn write_agent(&mut self, organization: u32, agent: u32, record: &mut Record) {
        let (now, population) = (self.now, &self.world.population);
        let id = population.agent_id(organization, agent);
        let organization = population.organization_id(organization).to_owned();
        let key = format!("{organization}/{id}");
        let mut out = self.writer(record, Topic::Agents, key.as_bytes());
        out.open("agent.upserted", now, &organization);
        out.number("agentId", id);
        let version = 1 + out.random.below(9);
        out.string("name", &format!("Agent {id} v{version}"));
        let model = pick(out.random, &MODELS);
        out.string("model", model);
        out.string("logoUrl", &format!("https://cdn.example.com/agents/{id}.png"));
        out.close();
    }
}
