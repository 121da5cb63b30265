//! The rows that a set of events must leave behind, computed in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recap_events::Millis;
use recap_store::{AgentWrite, Batch, ConversationKey, UserWrite};
use recap_summary::{FirstText, Payload};

use super::table::{Agent, Conversation, Feedback, Tables, ToolCall, User};

/// The tables after any delivery of these events.
pub fn tables(batch: &Batch) -> Tables {
    let mut tables = Tables::default();
    for entry in &batch.conversations {
        let state = &entry.delta.state;
        let key = (entry.key.org_id.to_string(), entry.key.conversation_id.to_string());
        let text = match state.first_text() {
            FirstText::Set(text) => text.map(str::to_owned),
            FirstText::Unchanged => panic!("nothing was written yet"),
        };
        tables
            .conversations
            .insert(key, Conversation::new(&state.columns(), text));
        for payload in entry.delta.payloads.iter().filter(|payload| state.is_current(payload)) {
            add(&mut tables, &entry.key, payload);
        }
    }
    for user in greatest(&batch.users, |user| (user.org_id.to_string(), user.user_id.to_string())) {
        tables
            .users
            .insert((user.org_id.to_string(), user.user_id.to_string()), User::new(user));
    }
    for agent in greatest(&batch.agents, |agent| (agent.org_id.to_string(), agent.agent_id)) {
        tables
            .agents
            .insert((agent.org_id.to_string(), agent.agent_id), Agent::new(agent));
    }
    tables
}

fn add(tables: &mut Tables, key: &ConversationKey, payload: &Payload) {
    let id = (
        key.org_id.to_string(),
        key.conversation_id.to_string(),
        payload.id().to_owned(),
    );
    match payload {
        Payload::ToolStarted {
            tool_name,
            args,
            message_id,
            started_at,
            ..
        } => {
            let call: &mut ToolCall = tables.tool_calls.entry(id).or_default();
            call.started_tool_name = Some(tool_name.clone());
            call.args.clone_from(args);
            call.message_id.clone_from(message_id);
            call.started_at = time(*started_at);
        }
        Payload::ToolFinished {
            tool_name,
            result,
            error,
            finished_at,
            stamp,
            ..
        } => {
            let call: &mut ToolCall = tables.tool_calls.entry(id).or_default();
            call.finished_tool_name.clone_from(tool_name);
            call.result.clone_from(result);
            call.error.clone_from(error);
            call.finished_at = time(*finished_at);
            call.finished_event_time = time(stamp.time.to_millis());
        }
        // Without a visible half there is no row.
        Payload::ToolDeleted { .. } => {}
        Payload::Feedback { row, .. } => {
            tables.feedback.insert(id, Feedback::new(row.as_ref()));
        }
    }
}

pub fn time(time: Millis) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.0)
}

trait Revision {
    fn order(&self) -> (i64, &str, u64);
}

impl Revision for UserWrite {
    fn order(&self) -> (i64, &str, u64) {
        (self.time.0, &self.event_id, self.content)
    }
}

impl Revision for AgentWrite {
    fn order(&self) -> (i64, &str, u64) {
        (self.time.0, &self.event_id, self.content)
    }
}

fn greatest<K: Ord, R: Revision>(revisions: &[R], key: impl Fn(&R) -> K) -> Vec<&R> {
    let mut greatest = BTreeMap::<K, &R>::new();
    for revision in revisions {
        let kept = greatest.entry(key(revision)).or_insert(revision);
        if revision.order() > kept.order() {
            *kept = revision;
        }
    }
    greatest.into_values().collect()
}
