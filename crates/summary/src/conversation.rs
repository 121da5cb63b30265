//! The state of one conversation.

mod erasing;
mod fold;

use crate::{
    Columns, Encoded, Id, Payload, Stamp, StateError, codec,
    erased::Erased,
    first_text::Text,
    part::{self, MAX_PARTS, Part},
    record::{Feedback, Revision, ToolCall},
    register::Registers,
    totals::Totals,
};

/// Above this average weight the number of parts doubles; about the encoded bytes of a part.
const PART_BYTES: usize = 2 * 1024;

/// The state of one conversation: everything its events said, as far as it can matter again.
///
/// The default is the state of no event. Equality is that of what events said; what is still to be written
/// doesn't count.
#[derive(Debug, Clone)]
pub struct Conversation {
    registers: Box<Registers>,
    /// A power of two.
    parts: Vec<Part>,
    /// Sum of the parts' weights.
    weight: usize,
    /// Sum of the memory the parts hold.
    part_memory: usize,
    part_bytes: usize,
    dirty: bool,
    /// Since it was last clean.
    erased: Erased,
}

/// What to do with the column `first_message_text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstText<'a> {
    /// The row holds it already: leave the column alone.
    Unchanged,
    /// Write this.
    Set(Option<&'a str>),
}

/// Which halves of a tool call are shown; without one the call has no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownHalves {
    /// Whether the first is.
    pub started: bool,
    /// Whether the second is.
    pub finished: bool,
}

/// What a state knows of the thing that a payload is a revision of.
struct Revisions<'a> {
    current: Option<&'a Stamp>,
    /// The current revision or a later deletion.
    latest: Option<&'a Stamp>,
}

impl<'a> Revisions<'a> {
    fn of(current: Option<&'a Stamp>, deleted: Option<&'a Stamp>) -> Self {
        Self {
            current,
            latest: current.max(deleted),
        }
    }
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
            part_memory: 0,
            part_bytes,
            dirty: false,
            erased: Erased::default(),
        }
    }

    /// A clean state of these.
    fn from_stored(registers: Registers, parts: Vec<Part>) -> Self {
        let mut state = Self {
            registers: Box::new(registers),
            weight: 0,
            part_memory: 0,
            parts,
            part_bytes: PART_BYTES,
            dirty: false,
            erased: Erased::default(),
        };
        state.weigh();
        state.mark_clean();
        state
    }

    /// Joins another state of the same conversation into this one; dirty is what that changed.
    pub fn merge(&mut self, other: &Self) {
        let was_superseded = self.first_text_is_superseded();
        self.erased.extend(&other.erased);
        self.dirty |= self.registers.merge(&other.registers, &mut self.erased);
        if self.parts.len() < other.parts.len() {
            self.grow_to(other.parts.len());
        }
        if self.parts.len() == other.parts.len() {
            for (mine, theirs) in self.parts.iter_mut().zip(&other.parts) {
                self.dirty |= mine.merge(theirs, &mut self.erased);
            }
            self.weigh();
            self.grow();
        } else {
            self.merge_records(other);
        }
        self.release_superseded_text(was_superseded);
    }

    /// Joins the records of a state with fewer parts, one by one.
    fn merge_records(&mut self, other: &Self) {
        for theirs in &other.parts {
            for message in &theirs.messages {
                let revision = theirs.resolve(&message.revision);
                self.put(message.id.clone(), |part, id, erased| {
                    part.put_message(id, message.key.clone(), &revision, erased)
                });
            }
            for call in &theirs.tool_calls {
                self.put(call.id.clone(), |part, id, erased| {
                    part.put_tool_call(ToolCall { id, ..call.clone() }, erased)
                });
            }
            for feedback in &theirs.feedback {
                self.put(feedback.id.clone(), |part, id, erased| {
                    part.put_feedback(Feedback { id, ..feedback.clone() }, erased)
                });
            }
        }
    }

    /// Puts a record where its id belongs.
    fn put(&mut self, id: Id, put: impl FnOnce(&mut Part, Id, &mut Erased) -> bool) -> bool {
        let index = self.part_of(&id);
        let part = &mut self.parts[index];
        let (weight, memory) = (part.weight, part.heap_bytes());
        let changed = put(part, id, &mut self.erased);
        self.dirty |= changed;
        self.part_memory = self.part_memory + part.heap_bytes() - memory;
        if part.weight > weight {
            self.weight += part.weight - weight;
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
            self.weigh();
        }
    }

    /// Sums up what the parts know of themselves.
    fn weigh(&mut self) {
        self.weight = self.parts.iter().map(|part| part.weight).sum();
        self.part_memory = self.parts.iter().map(Part::heap_bytes).sum();
    }

    fn first_text_is_superseded(&self) -> bool {
        self.registers.first_text.as_ref().is_some_and(|first| {
            self.parts[self.part_of(&first.message_id)]
                .message(&first.message_id)
                .is_none_or(|message| message.key != first.key || message.revision == Revision::Deleted)
        })
    }

    /// Revisions are never undone, so a superseded text is of no use any more. It is erased unless it was superseded before.
    fn release_superseded_text(&mut self, was_superseded: bool) {
        if !self.first_text_is_superseded() {
            return;
        }
        if let Some(first) = &mut self.registers.first_text {
            if first.is_in_rows() && !was_superseded {
                self.erased.insert(&first.message_id);
            }
            first.release();
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
        Columns::of(&self.registers, &self.parts)
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
        self.erased.clear();
        self.release_text();
        let several = self.parts.len() > 1;
        for part in &mut self.parts {
            part.dirty = false;
            if several && part.totals.is_none() {
                part.totals = Some(Box::new(part.compute_totals()));
                self.part_memory += size_of::<Totals>();
            }
        }
        // A clone holds less than what it was cloned from.
        debug_assert!(self.part_memory >= self.parts.iter().map(Part::heap_bytes).sum());
    }

    /// The bytes to write: of several parts only those that changed, all of them if their number grew.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        codec::encode(&self.registers, &self.parts, |part| part.dirty)
    }

    /// All bytes of the state.
    #[must_use]
    pub fn encode_whole(&self) -> Encoded {
        codec::encode(&self.registers, &self.parts, |_| true)
    }

    /// Reads a state back: clean, the first text known to be in the row. `parts` are all of them, in any
    /// order. Takes memory in proportion to the bytes.
    pub fn decode(main: &[u8], parts: &[(u16, Vec<u8>)]) -> Result<Self, StateError> {
        let (registers, parts) = codec::decode(main, parts)?;
        Ok(Self::from_stored(registers, parts))
    }

    /// What to do with the row's first text.
    #[must_use]
    pub fn first_text(&self) -> FirstText<'_> {
        match &self.registers.first_text {
            Some(first) if first.content.is_some() && !self.first_text_is_superseded() => match &first.text {
                Text::Held(text) => FirstText::Set(Some(text)),
                Text::InRow => FirstText::Unchanged,
            },
            _ => FirstText::Set(None),
        }
    }

    /// Whether `payload` is the current revision of what it is a revision of.
    #[must_use]
    pub fn is_current(&self, payload: &Payload) -> bool {
        self.revisions(payload).current == Some(payload.stamp())
    }

    /// Whether the state has this revision of `payload`'s thing, a greater one or a later deletion.
    #[must_use]
    pub fn knows(&self, payload: &Payload) -> bool {
        self.revisions(payload).latest >= Some(payload.stamp())
    }

    /// Which halves of a tool call are shown.
    #[must_use]
    pub fn shown_halves(&self, tool_call_id: &str) -> ShownHalves {
        let id = Id::new(tool_call_id);
        let call = self.parts[self.part_of(&id)].tool_call(&id);
        ShownHalves {
            started: call.is_some_and(|call| call.started.is_some()),
            finished: call.is_some_and(|call| call.finished.is_some()),
        }
    }

    fn revisions(&self, payload: &Payload) -> Revisions<'_> {
        let id = Id::new(payload.id());
        let part = &self.parts[self.part_of(&id)];
        if let Payload::Feedback { .. } = payload {
            return Revisions::of(part.feedback(&id).map(|feedback| &feedback.stamp), None);
        }
        let call = part.tool_call(&id);
        let deleted = call.and_then(|call| call.deleted.as_deref());
        match payload {
            Payload::ToolStarted { .. } => Revisions::of(call.and_then(|call| call.started.as_ref()), deleted),
            Payload::ToolFinished { .. } => Revisions::of(call.and_then(|call| call.finished.as_ref()), deleted),
            Payload::ToolDeleted { .. } | Payload::Feedback { .. } => Revisions::of(deleted, None),
        }
    }

    /// An estimate of the memory this takes beyond itself, in bytes; costs nothing.
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
            + self.part_memory
            + self.erased.heap_bytes()
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
