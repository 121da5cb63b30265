//! The state of one conversation.

use recap_events::{
    Change, ERASED_CONTENT, FeedbackSubmitted, Message, Micros, RawJson, ToolCallFinished,
    ToolCallStarted,
};

use crate::{
    Columns, FeedbackRow, Id, Payload, Stamp,
    codec::{self, Encoded, StateError},
    first_text::Text,
    part::{self, Half, Part},
    record::{Content, Feedback, Role, Tokens, ToolCall},
    register::Registers,
    stamp::Key,
    totals::Totals,
};

/// Above this average weight the number of parts doubles; about the encoded bytes of a part.
const PART_BYTES: usize = 16 * 1024;

/// Parts are numbered by a few bits of a hash.
pub(crate) const MAX_PARTS: usize = 4096;

/// The state of one conversation: everything its events said, as far as it can matter again.
///
/// The default is the state of no event. Equality is that of what events said; what is still to be written
/// doesn't count.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub(crate) registers: Box<Registers>,
    /// A power of two.
    pub(crate) parts: Vec<Part>,
    /// Sum of the parts' weights.
    weight: usize,
    part_bytes: usize,
    dirty: bool,
}

/// What to do with the column `first_message_text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstText<'a> {
    /// The row holds it already: leave the column alone.
    Unchanged,
    /// Write this.
    Set(Option<&'a str>),
}

impl Default for Conversation {
    fn default() -> Self {
        Self::with_part_bytes(PART_BYTES)
    }
}

impl Conversation {
    /// The state of no event, splitting as soon as its parts pass `part_bytes`. For tests that want many parts.
    #[doc(hidden)]
    #[must_use]
    pub fn with_part_bytes(part_bytes: usize) -> Self {
        Self {
            registers: Box::default(),
            parts: vec![Part::default()],
            weight: 0,
            part_bytes,
            dirty: false,
        }
    }

    /// A clean state of these.
    pub(crate) fn from_stored(registers: Registers, parts: Vec<Part>) -> Self {
        let mut state = Self {
            registers: Box::new(registers),
            weight: weight_of(&parts),
            parts,
            part_bytes: PART_BYTES,
            dirty: false,
        };
        state.mark_clean();
        state
    }

    /// Folds one event. Returns the payload row to write when the event became the current revision of half a
    /// tool call or of a feedback; `None` for everything else, repeated and superseded events included.
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
            Change::ToolCallStarted(call) => return self.apply_started(key, call),
            Change::ToolCallFinished(call) => return self.apply_finished(key, call),
            Change::FeedbackSubmitted(feedback) => return self.apply_submitted(key, feedback),
            Change::FeedbackWithdrawn { feedback_id } => {
                return self.apply_feedback(key.stamp(ERASED_CONTENT), feedback_id, None);
            }
        }
        None
    }

    fn apply_message(&mut self, key: Key, message: &Message<'_>) {
        self.dirty |= self.registers.message(&key, message);
        let role = Role::of(&message.role);
        let usage = &message.usage;
        let content = Content {
            created_at: message.created_at,
            role,
            tokens: Tokens::new(
                usage.input_tokens.unwrap_or(0),
                usage.output_tokens.unwrap_or(0),
                usage.total_tokens,
            ),
            attachments: message.attachment_count.unwrap_or(0),
            finish_reason: message.finish_reason.as_deref(),
            model: message.model.as_deref().filter(|_| role == Role::Assistant),
        };
        let id = Id::new(&message.message_id);
        let is_first = self
            .registers
            .first_text
            .as_ref()
            .is_some_and(|first| first.message_id == id);
        self.put(id, |part, id| part.put_message(id, key, &content));
        if is_first {
            self.release_superseded_text();
        }
    }

    fn apply_started(&mut self, key: Key, call: &ToolCallStarted<'_>) -> Option<Payload> {
        let stamp = key.stamp(call.content_hash());
        let put = |part: &mut Part, id| part.put_half(id, Half::Started, stamp.clone());
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
        let put = |part: &mut Part, id| part.put_half(id, Half::Finished, stamp.clone());
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
        let put = |part: &mut Part, id| {
            part.put_feedback(Feedback {
                id,
                stamp: stamp.clone(),
                verdict,
            })
        };
        self.put(Id::new(feedback_id), put)
            .then(|| Payload::Feedback {
                feedback_id: feedback_id.to_owned(),
                stamp,
                row: submitted.map(|(_, row)| row()),
            })
    }

    /// Joins another state of the same conversation into this one; dirty is what that changed.
    pub fn merge(&mut self, other: &Self) {
        self.dirty |= self.registers.merge(&other.registers);
        if self.parts.len() < other.parts.len() {
            self.grow_to(other.parts.len());
        }
        if self.parts.len() == other.parts.len() {
            for (mine, theirs) in self.parts.iter_mut().zip(&other.parts) {
                self.dirty |= mine.merge(theirs);
            }
            self.weight = weight_of(&self.parts);
            self.grow();
        } else {
            self.merge_records(other);
        }
        self.release_superseded_text();
    }

    /// Joins the records of a state with fewer parts, one by one.
    fn merge_records(&mut self, other: &Self) {
        for theirs in &other.parts {
            for message in &theirs.messages {
                let content = theirs.resolve(&message.content);
                self.put(message.id.clone(), |part, id| {
                    part.put_message(id, message.key.clone(), &content)
                });
            }
            for call in &theirs.tool_calls {
                self.put(call.id.clone(), |part, id| {
                    part.put_tool_call(ToolCall { id, ..call.clone() })
                });
            }
            for feedback in &theirs.feedback {
                self.put(feedback.id.clone(), |part, id| {
                    part.put_feedback(Feedback {
                        id,
                        ..feedback.clone()
                    })
                });
            }
        }
    }

    /// Puts a record where its id belongs.
    fn put(&mut self, id: Id, put: impl FnOnce(&mut Part, Id) -> bool) -> bool {
        let index = self.part_of(&id);
        let part = &mut self.parts[index];
        let before = part.weight;
        let changed = put(part, id);
        self.dirty |= changed;
        if part.weight > before {
            self.weight += part.weight - before;
            self.grow();
        }
        changed
    }

    fn part_of(&self, id: &Id) -> usize {
        match self.parts.len() {
            1 => 0,
            count => part::hash(id) & (count - 1),
        }
    }

    /// Splits the parts when they have become too large on average. Their number follows from the weight,
    /// the weight from which records there are: equal states are split alike.
    fn grow(&mut self) {
        let mut count = self.parts.len();
        while count < MAX_PARTS && self.weight > count * self.part_bytes {
            count *= 2;
        }
        self.grow_to(count);
    }

    fn grow_to(&mut self, count: usize) {
        while self.parts.len() < count {
            let bit = self.parts.len();
            let mut upper: Vec<_> = self.parts.iter_mut().map(|p| p.split_off(bit)).collect();
            self.parts.append(&mut upper);
            self.dirty = true;
        }
    }

    fn first_text_is_superseded(&self) -> bool {
        self.registers.first_text.as_ref().is_some_and(|first| {
            self.parts[self.part_of(&first.message_id)]
                .message(&first.message_id)
                .is_none_or(|message| message.key != first.key)
        })
    }

    /// Revisions are never undone, so a superseded text is of no use any more.
    fn release_superseded_text(&mut self) {
        let held = self
            .registers
            .first_text
            .as_ref()
            .is_some_and(|first| matches!(first.text, Text::Held(_)));
        if held && self.first_text_is_superseded() {
            self.release_text();
        }
    }

    fn release_text(&mut self) {
        if let Some(first) = &mut self.registers.first_text {
            first.release();
        }
    }

    /// What the conversation shows.
    #[must_use]
    pub fn columns(&self) -> Columns {
        Columns::of(self)
    }

    /// Whether anything changed since [`Self::mark_clean`] or [`Self::decode`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Has everything written again, whatever the row holds.
    pub fn mark_dirty(&mut self) {
        self.dirty = true;
        for part in &mut self.parts {
            part.dirty = true;
        }
    }

    /// To be called when the row holds this state; drops the first text from memory.
    pub fn mark_clean(&mut self) {
        self.dirty = false;
        self.release_text();
        let several = self.parts.len() > 1;
        for part in &mut self.parts {
            part.dirty = false;
            if several && part.totals.is_none() {
                part.totals = Some(Box::new(Totals::of(part)));
            }
        }
    }

    /// The bytes to write: of several parts only those that changed, all of them if their number grew.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        codec::encode(self, |part| part.dirty)
    }

    /// All bytes of the state.
    #[must_use]
    pub fn encode_whole(&self) -> Encoded {
        codec::encode(self, |_| true)
    }

    /// Reads a state back: clean, the first text known to be in the row. `parts` are all of them, in any
    /// order. Takes memory in proportion to the bytes.
    pub fn decode(main: &[u8], parts: &[(u16, Vec<u8>)]) -> Result<Self, StateError> {
        codec::decode(main, parts)
    }

    /// What to do with the row's first text.
    #[must_use]
    pub fn first_text(&self) -> FirstText<'_> {
        match &self.registers.first_text {
            Some(first) if first.content.is_some() && !self.first_text_is_superseded() => {
                match &first.text {
                    Text::Held(text) => FirstText::Set(Some(text)),
                    Text::InRow => FirstText::Unchanged,
                }
            }
            _ => FirstText::Set(None),
        }
    }

    /// Whether `payload` is the current revision of what it is a revision of.
    #[must_use]
    pub fn is_current(&self, payload: &Payload) -> bool {
        self.stamp_of(payload) == Some(payload.stamp())
    }

    /// Whether the state has this revision of `payload`'s thing or a greater one.
    #[must_use]
    pub fn knows(&self, payload: &Payload) -> bool {
        self.stamp_of(payload) >= Some(payload.stamp())
    }

    fn stamp_of(&self, payload: &Payload) -> Option<&Stamp> {
        let id = Id::new(payload.id());
        let part = &self.parts[self.part_of(&id)];
        match payload {
            Payload::ToolStarted { .. } => part.tool_call(&id)?.started.as_ref(),
            Payload::ToolFinished { .. } => part.tool_call(&id)?.finished.as_ref(),
            Payload::Feedback { .. } => Some(&part.feedback(&id)?.stamp),
        }
    }

    /// An estimate of the memory this takes beyond itself, in bytes; costs little.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let text = match &self.registers.first_text {
            Some(first) => match &first.text {
                Text::Held(text) => text.len(),
                Text::InRow => 0,
            },
            None => 0,
        };
        size_of::<Registers>()
            + text
            + self.parts.capacity() * size_of::<Part>()
            + self.parts.iter().map(Part::heap_bytes).sum::<usize>()
    }
}

impl PartialEq for Conversation {
    fn eq(&self, other: &Self) -> bool {
        if self.registers != other.registers {
            return false;
        }
        let count = self.parts.len().max(other.parts.len());
        if self.parts.len() == other.parts.len() {
            return self.parts == other.parts;
        }
        let (mut a, mut b) = (self.clone(), other.clone());
        a.grow_to(count);
        b.grow_to(count);
        a.parts == b.parts
    }
}

fn weight_of(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.weight).sum()
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn json(json: Option<&RawJson<'_>>) -> Option<String> {
    json.map(|json| json.as_str().to_owned())
}
