//! What of a delta takes content away: to be merged into other copies of the row, that may still have it.

use super::{Conversation, FirstText};
use crate::{
    Delta, Id, Payload, part,
    record::{Feedback, ToolCall},
};

impl Delta {
    /// Whether a row may hold an earlier revision of this payload.
    #[must_use]
    pub fn replaces(&self, payload: &Payload) -> bool {
        !self.state.erased.is_empty() && self.state.erased.contains(&Id::new(payload.id()))
    }

    /// What takes content away since the state was last clean: deletions, and revisions of what had content. A delta in its own right, so merging it
    /// anywhere is harmless where the rest follows, or never does. `None` when nothing was taken away, as a rule.
    #[must_use]
    pub fn erasing(&self) -> Option<Self> {
        if self.state.erased.is_empty() {
            return None;
        }
        let mut erasing = Self {
            state: self.state.erasing(),
            ..Self::default()
        };
        for payload in self.payloads.iter() {
            // Only with its payload: a row that knows a revision has its payload, too.
            if self.replaces(payload) && self.state.is_current(payload) {
                erasing.state.put_payload(payload);
                erasing.payloads.insert(payload.clone());
            }
        }
        Some(erasing)
    }
}

impl Conversation {
    /// The messages that lost content, and the first text if it is one of theirs, unless the text is only in the row.
    fn erasing(&self) -> Self {
        let mut erasing = Self::default();
        let first = self.registers.first_text.as_ref();
        let is_only_in_row = self.first_text() == FirstText::Unchanged;
        erasing.registers.first_text = first
            .filter(|first| !is_only_in_row && self.erased.contains(&first.message_id))
            .cloned();
        for id in self.erased.iter() {
            let part = &self.parts[self.part_of(id)];
            if let Some(message) = part.message(id) {
                let revision = part.resolve(&message.revision);
                erasing.put(id.clone(), |part, id, erased| {
                    part.put_message(id, message.key.clone(), &revision, erased)
                });
            }
        }
        erasing
    }

    fn put_payload(&mut self, payload: &Payload) {
        let stamp = payload.stamp().clone();
        self.put(Id::new(payload.id()), |part, id, erased| match payload {
            Payload::ToolDeleted { .. } => part.put_tool_call(ToolCall::deleted(id, stamp), erased),
            Payload::ToolStarted { .. } => part.put_tool_call(ToolCall::started(id, stamp), erased),
            Payload::ToolFinished { .. } => part.put_tool_call(ToolCall::finished(id, stamp), erased),
            Payload::Feedback { row, .. } => {
                let verdict = part::verdict(row.as_ref().map(|row| row.helpful));
                part.put_feedback(Feedback { id, stamp, verdict }, erased)
            }
        });
    }
}
