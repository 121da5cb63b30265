//! A row and its payload rows, written as a store does: guarded by a revision, merged on conflict, the text and
//! the parts only when they changed. In memory, so that millions of programs can be tried.

use std::collections::BTreeMap;

use recap_events::Millis;
use recap_summary::{Columns, Conversation, Delta, FirstText, Payload, PayloadKind};

use crate::model::{Shown, ShownFeedback, ShownToolCall};

/// What a database would hold of one conversation.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub revision: u64,
    main: Vec<u8>,
    parts: BTreeMap<u16, Vec<u8>>,
    pub columns: Columns,
    pub text: Option<String>,
    payloads: BTreeMap<(PayloadKind, String), Payload>,
}

/// One of several that write: what it folded since, onto what it read.
#[derive(Debug, Clone)]
pub struct Writer {
    pub delta: Delta,
    /// The revision its state contains, if it knows.
    base: Option<u64>,
    part_bytes: usize,
}

impl Writer {
    pub fn new(part_bytes: usize) -> Self {
        Self {
            delta: Delta {
                state: Conversation::with_part_bytes(part_bytes),
                ..Delta::default()
            },
            base: None,
            part_bytes,
        }
    }

    /// Loses everything that wasn't written.
    pub fn crash(&mut self) {
        *self = Self::new(self.part_bytes);
    }

    /// Writes what there is; afterwards it holds the clean state of the row. Returns what takes content away from other copies of it.
    pub fn flush(&mut self, table: &mut Table) -> Option<Delta> {
        if self.base != Some(table.revision) {
            let mut stored = table.load();
            self.delta.payloads.retain_unknown_to(&stored);
            stored.merge(&self.delta.state);
            self.delta.state = stored;
            self.base = Some(table.revision);
        }
        self.delta.payloads.retain_current(&self.delta.state);
        let erasing = self.delta.erasing();
        if self.delta.state.is_dirty() {
            table.write(&self.delta.state);
            self.base = Some(table.revision);
        }
        for payload in std::mem::take(&mut self.delta.payloads) {
            if let Payload::ToolDeleted { tool_call_id, .. } = payload {
                table.erase_hidden(&self.delta.state, &tool_call_id);
                continue;
            }
            let key = (payload.kind(), payload.id().to_owned());
            table.payloads.insert(key, payload);
        }
        self.delta.state.mark_clean();
        erasing
    }
}

impl Table {
    /// Everything that somebody wrote, by where it stands.
    pub fn readable(&self) -> BTreeMap<String, String> {
        let text = self.text.iter().map(|text| ("text".to_owned(), text.clone()));
        let payloads = self.payloads.iter().filter_map(|((kind, id), payload)| match payload {
            Payload::ToolDeleted { .. } | Payload::Feedback { row: None, .. } => None,
            shown => Some((format!("{kind:?} {id}"), format!("{shown:?}"))),
        });
        text.chain(payloads).collect()
    }

    pub fn load(&self) -> Conversation {
        if self.revision == 0 {
            return Conversation::default();
        }
        let parts: Vec<_> = self.parts.clone().into_iter().collect();
        Conversation::decode(&self.main, &parts).unwrap()
    }

    fn write(&mut self, state: &Conversation) {
        self.revision += 1;
        let encoded = state.encode();
        self.main = encoded.main;
        self.parts.extend(encoded.parts);
        self.columns = state.columns();
        match state.first_text() {
            FirstText::Unchanged => {}
            FirstText::Set(text) => self.text = text.map(ToOwned::to_owned),
        }
    }

    /// Erases the halves of a call that the state does not show.
    fn erase_hidden(&mut self, state: &Conversation, tool_call_id: &str) {
        let shown = state.shown_halves(tool_call_id);
        for (kind, is_shown) in [
            (PayloadKind::ToolStarted, shown.started),
            (PayloadKind::ToolFinished, shown.finished),
        ] {
            if !is_shown {
                self.payloads.remove(&(kind, tool_call_id.to_owned()));
            }
        }
    }

    /// What a reader sees.
    pub fn shown(&self) -> Shown {
        shown(&self.columns, self.text.as_deref(), self.payloads.values().cloned())
    }
}

/// Columns and payload rows put together as the contract says.
pub fn shown(columns: &Columns, text: Option<&str>, payloads: impl IntoIterator<Item = Payload>) -> Shown {
    let mut calls: BTreeMap<String, ShownToolCall> = BTreeMap::new();
    let mut feedback_data = Vec::new();
    let mut payloads: Vec<_> = payloads.into_iter().collect();
    // First halves first.
    payloads.sort_by_key(Payload::kind);
    for payload in payloads {
        match payload {
            Payload::ToolStarted {
                tool_call_id,
                tool_name,
                args,
                message_id,
                started_at,
                ..
            } => {
                let call = call(&mut calls, &tool_call_id, started_at);
                call.tool_name = Some(tool_name);
                call.args = args;
                call.message_id = message_id;
            }
            Payload::ToolFinished {
                tool_call_id,
                stamp,
                tool_name,
                result,
                error,
                finished_at,
            } => {
                let call = call(&mut calls, &tool_call_id, stamp.time.to_millis());
                call.tool_name = call.tool_name.take().or(tool_name);
                call.result = result;
                call.error = error;
                call.finished_at = Some(finished_at);
            }
            Payload::ToolDeleted { .. } => {}
            Payload::Feedback { feedback_id, row, .. } => feedback_data.extend(row.map(|row| ShownFeedback {
                feedback_id,
                helpful: row.helpful,
                comment: row.comment,
                message_id: row.message_id,
                user_id: row.user_id,
                created_at: row.created_at,
            })),
        }
    }
    let mut tool_calls: Vec<_> = calls.into_values().collect();
    tool_calls.sort_by_key(|call| (call.started_at, call.tool_call_id.clone()));
    feedback_data.sort_by_key(|row| (row.created_at, row.feedback_id.clone()));
    let columns = columns.clone();
    assert_eq!(columns.tool_call_count, i64::try_from(tool_calls.len()).unwrap());
    Shown {
        created_at: columns.created_at,
        updated_at: columns.updated_at,
        deleted_at: columns.deleted_at,
        user_id: columns.user_id,
        agent_id: columns.agent_id,
        upstream_conversation_id: columns.upstream_conversation_id,
        agent_model: columns.agent_model,
        first_message_text: text.map(ToOwned::to_owned),
        user_message_count: columns.user_message_count,
        assistant_message_count: columns.assistant_message_count,
        total_message_count: columns.total_message_count,
        duration_ms: columns.duration_ms,
        total_tokens: columns.tokens.total,
        input_tokens: columns.tokens.input,
        output_tokens: columns.tokens.output,
        attachment_count: columns.attachment_count,
        tool_calls,
        last_finish_reason: columns.last_finish_reason,
        total_feedback: columns.total_feedback,
        total_helpful: columns.total_helpful,
        total_not_helpful: columns.total_not_helpful,
        feedback_data,
    }
}

fn call<'a>(calls: &'a mut BTreeMap<String, ShownToolCall>, id: &str, started_at: Millis) -> &'a mut ShownToolCall {
    calls.entry(id.to_owned()).or_insert_with(|| ShownToolCall {
        tool_call_id: id.to_owned(),
        tool_name: None,
        args: None,
        result: None,
        error: None,
        message_id: None,
        started_at,
        finished_at: None,
    })
}
