//! A share of a conversation's records, those whose ids hash to it.

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Id,
    erased::Erased,
    id::Form,
    record::{Feedback, Message, Outcome, Record, Revision, ToolCall, Verdict},
    sorted::{Joined, find, make_room, merge_sorted},
    stamp::Key,
    symbols::{Symbol, Symbols},
    totals::Totals,
};

/// Parts are numbered by a few bits of a hash.
pub(crate) const MAX_PARTS: usize = 4096;

/// About what a record costs when encoded, without its id.
const MESSAGE_WEIGHT: usize = 24;
const TOOL_CALL_WEIGHT: usize = 46;
const FEEDBACK_WEIGHT: usize = 24;

/// Records by kind, each sorted by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub messages: Vec<Message>,
    pub tool_calls: Vec<ToolCall>,
    pub feedback: Vec<Feedback>,
    pub symbols: Symbols,
    /// Sum of the records' weights: depends on which there are, not on their revisions, and only grows.
    pub weight: usize,
    /// Changed since it was last written.
    pub dirty: bool,
    /// Kept while the part doesn't change, if the conversation has several.
    pub totals: Option<Box<Totals>>,
    id_bytes: usize,
}

/// The number that decides which part an id belongs to. Stored states depend on it: it never changes.
pub(crate) fn hash(id: &Id) -> usize {
    let hash = match id.form() {
        Form::Uuid(bytes) | Form::Ulid(bytes) => xxh3_64(bytes),
        Form::Text(bytes) => xxh3_64(bytes),
    };
    #[expect(clippy::cast_possible_truncation, reason = "the low 12 bits are used")]
    {
        hash as usize
    }
}

fn id_weight(id: &Id) -> usize {
    match id.form() {
        Form::Uuid(_) | Form::Ulid(_) => 16,
        Form::Text(bytes) => bytes.len(),
    }
}

impl Part {
    pub fn message(&self, id: &Id) -> Option<&Message> {
        Some(&self.messages[find(&self.messages, id).ok()?])
    }

    pub fn tool_call(&self, id: &Id) -> Option<&ToolCall> {
        Some(&self.tool_calls[find(&self.tool_calls, id).ok()?])
    }

    pub fn feedback(&self, id: &Id) -> Option<&Feedback> {
        Some(&self.feedback[find(&self.feedback, id).ok()?])
    }

    /// The same revision with its strings.
    pub fn resolve(&self, revision: &Revision<Symbol>) -> Revision<Option<&str>> {
        revision.map(|symbol| self.symbols.get(symbol))
    }

    /// `erased` is told when content is gone afterwards, or others may have content that is.
    pub fn put_message(&mut self, id: Id, key: Key, revision: &Revision<Option<&str>>, erased: &mut Erased) -> bool {
        match find(&self.messages, &id) {
            Err(at) => {
                if *revision == Revision::Deleted {
                    erased.insert(&id);
                }
                let revision = intern(&mut self.symbols, revision);
                let message = Message { id, key, revision };
                self.gain(MESSAGE_WEIGHT, &message);
                make_room(&mut self.messages);
                self.messages.insert(at, message);
            }
            Ok(at) => {
                let current = &self.messages[at];
                let older = self.resolve(&current.revision);
                let wins = match key.cmp(&current.key) {
                    Ordering::Equal => *revision > older,
                    ordering => ordering == Ordering::Greater,
                };
                if !wins {
                    return false;
                }
                if *revision == Revision::Deleted || revision.lacks_a_string_of(&older) {
                    erased.insert(&id);
                }
                self.id_bytes += key.id.heap_bytes();
                let revision = intern(&mut self.symbols, revision);
                let current = &mut self.messages[at];
                self.id_bytes -= current.key.id.heap_bytes();
                current.key = key;
                current.revision = revision;
                self.forget_unused_symbols();
            }
        }
        self.touch()
    }

    pub fn put_tool_call(&mut self, call: ToolCall, erased: &mut Erased) -> bool {
        match find(&self.tool_calls, &call.id) {
            Err(at) => {
                if call.deleted.is_some() {
                    erased.insert(&call.id);
                }
                self.gain(TOOL_CALL_WEIGHT, &call);
                make_room(&mut self.tool_calls);
                self.tool_calls.insert(at, call);
            }
            Ok(at) => {
                let current = &mut self.tool_calls[at];
                let before = current.heap_bytes();
                if !erase(current.join(&call), &call.id, erased) {
                    return false;
                }
                self.id_bytes = self.id_bytes + current.heap_bytes() - before;
            }
        }
        self.touch()
    }

    pub fn put_feedback(&mut self, feedback: Feedback, erased: &mut Erased) -> bool {
        match find(&self.feedback, &feedback.id) {
            Err(at) => {
                if feedback.verdict == Verdict::Withdrawn {
                    erased.insert(&feedback.id);
                }
                self.gain(FEEDBACK_WEIGHT, &feedback);
                self.feedback.insert(at, feedback);
            }
            Ok(at) => {
                let current = &mut self.feedback[at];
                let before = current.heap_bytes();
                if !erase(current.join(&feedback), &feedback.id, erased) {
                    return false;
                }
                self.id_bytes = self.id_bytes + current.heap_bytes() - before;
            }
        }
        self.touch()
    }

    /// Joins the same share of another state. `erased` is told of content that is gone afterwards.
    pub fn merge(&mut self, other: &Self, erased: &mut Erased) -> bool {
        let mut mine = std::mem::take(&mut self.messages);
        let mut changed = merge_sorted(&mut mine, &other.messages, |current, theirs| {
            let revision = other.resolve(&theirs.revision);
            if let Some(current) = current {
                let older = self.resolve(&current.revision);
                let wins = match theirs.key.cmp(&current.key) {
                    Ordering::Equal => revision > older,
                    ordering => ordering == Ordering::Greater,
                };
                if !wins {
                    return Joined::Unchanged;
                }
                if revision == Revision::Deleted || revision.lacks_a_string_of(&older) {
                    erased.insert(&theirs.id);
                }
                self.id_bytes += theirs.key.id.heap_bytes();
                self.id_bytes -= current.key.id.heap_bytes();
                current.key.clone_from(&theirs.key);
                current.revision = intern(&mut self.symbols, &revision);
                return Joined::Changed;
            }
            let message = Message {
                revision: intern(&mut self.symbols, &revision),
                ..theirs.clone()
            };
            self.gain(MESSAGE_WEIGHT, &message);
            Joined::New(message)
        });
        self.messages = mine;
        self.forget_unused_symbols();

        let mut mine = std::mem::take(&mut self.tool_calls);
        changed |= merge_sorted(&mut mine, &other.tool_calls, |current, theirs| {
            self.join_record(TOOL_CALL_WEIGHT, current, theirs, |mine, theirs| {
                erase(mine.join(theirs), &theirs.id, erased)
            })
        });
        self.tool_calls = mine;

        let mut mine = std::mem::take(&mut self.feedback);
        changed |= merge_sorted(&mut mine, &other.feedback, |current, theirs| {
            self.join_record(FEEDBACK_WEIGHT, current, theirs, |mine, theirs| {
                erase(mine.join(theirs), &theirs.id, erased)
            })
        });
        self.feedback = mine;

        if changed {
            self.touch();
        }
        changed
    }

    fn join_record<R: Record + Clone>(
        &mut self,
        weight: usize,
        current: Option<&mut R>,
        theirs: &R,
        join: impl FnOnce(&mut R, &R) -> bool,
    ) -> Joined<R> {
        let Some(current) = current else {
            self.gain(weight, theirs);
            return Joined::New(theirs.clone());
        };
        let before = current.heap_bytes();
        if !join(current, theirs) {
            return Joined::Unchanged;
        }
        self.id_bytes = self.id_bytes + current.heap_bytes() - before;
        Joined::Changed
    }

    /// Moves the records whose hash has `bit` to a new part.
    pub fn split_off(&mut self, bit: usize) -> Self {
        let old = std::mem::take(self);
        let mut other = Self::default();
        for message in &old.messages {
            let part = if hash(&message.id) & bit == 0 {
                &mut *self
            } else {
                &mut other
            };
            let revision = intern(&mut part.symbols, &old.resolve(&message.revision));
            part.append_message(Message {
                revision,
                ..message.clone()
            });
        }
        for call in old.tool_calls {
            if hash(&call.id) & bit == 0 {
                self.append_tool_call(call);
            } else {
                other.append_tool_call(call);
            }
        }
        for feedback in old.feedback {
            if hash(&feedback.id) & bit == 0 {
                self.append_feedback(feedback);
            } else {
                other.append_feedback(feedback);
            }
        }
        self.touch();
        other.touch();
        other
    }

    /// Adds a message with an id greater than all, its symbols interned here.
    pub fn append_message(&mut self, message: Message) {
        self.gain(MESSAGE_WEIGHT, &message);
        self.messages.push(message);
    }

    /// Adds a tool call with an id greater than all.
    pub fn append_tool_call(&mut self, call: ToolCall) {
        self.gain(TOOL_CALL_WEIGHT, &call);
        self.tool_calls.push(call);
    }

    /// Adds a feedback with an id greater than all.
    pub fn append_feedback(&mut self, feedback: Feedback) {
        self.gain(FEEDBACK_WEIGHT, &feedback);
        self.feedback.push(feedback);
    }

    pub fn ids(&self) -> impl Iterator<Item = &Id> {
        let messages = self.messages.iter().map(Record::id);
        let tool_calls = self.tool_calls.iter().map(Record::id);
        messages.chain(tool_calls).chain(self.feedback.iter().map(Record::id))
    }

    pub fn compute_totals(&self) -> Totals {
        Totals::of(&self.messages, &self.tool_calls, &self.feedback)
    }

    pub fn heap_bytes(&self) -> usize {
        self.messages.capacity() * size_of::<Message>()
            + self.tool_calls.capacity() * size_of::<ToolCall>()
            + self.feedback.capacity() * size_of::<Feedback>()
            + self.symbols.heap_bytes()
            + self.id_bytes
            + self.totals.as_ref().map_or(0, |_| size_of::<Totals>())
    }

    fn gain(&mut self, weight: usize, record: &impl Record) {
        self.weight += weight + id_weight(record.id());
        self.id_bytes += record.heap_bytes();
    }

    fn touch(&mut self) -> bool {
        self.dirty = true;
        self.totals = None;
        true
    }

    /// Revisions leave strings behind that no message has any more.
    fn forget_unused_symbols(&mut self) {
        if self.symbols.len() <= 2 * self.messages.len() + 16 {
            return;
        }
        let old = std::mem::take(&mut self.symbols);
        for message in &mut self.messages {
            message.revision = message.revision.map(|symbol| self.symbols.intern(old.get(symbol)));
        }
    }
}

impl PartialEq for Part {
    /// Compares records: which symbols they have and what is still to be written doesn't count.
    fn eq(&self, other: &Self) -> bool {
        self.tool_calls == other.tool_calls
            && self.feedback == other.feedback
            && self.messages.len() == other.messages.len()
            && self
                .messages
                .iter()
                .zip(&other.messages)
                .all(|(a, b)| a.id == b.id && a.key == b.key && self.resolve(&a.revision) == other.resolve(&b.revision))
    }
}

fn intern(symbols: &mut Symbols, revision: &Revision<Option<&str>>) -> Revision<Symbol> {
    revision.map(|string| symbols.intern(string))
}

/// Notes what a join erased; whether it changed anything.
fn erase(outcome: Outcome, id: &Id, erased: &mut Erased) -> bool {
    if outcome == Outcome::Erased {
        erased.insert(id);
    }
    outcome != Outcome::Unchanged
}

/// A revision of a feedback.
pub(crate) fn verdict(helpful: Option<bool>) -> Verdict {
    match helpful {
        None => Verdict::Withdrawn,
        Some(true) => Verdict::Helpful,
        Some(false) => Verdict::NotHelpful,
    }
}
