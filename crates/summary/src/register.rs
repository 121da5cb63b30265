//! The scalar fields of a conversation, each a register that joins by order key.

use std::cmp::Ordering;

use recap_events::{ConversationFields, Message, Millis};

use crate::{Id, erased::Erased, first_text::FirstTextRegister, stamp::Key};

/// A value and the order key of the event that said it; two values under one key are ordered themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Register<V> {
    pub key: Key,
    pub value: V,
}

/// The first and the last moment that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Least time of all events and `createdAt` of all messages.
    pub first: Millis,
    /// Greatest time of all events.
    pub last: Millis,
}

/// Everything a conversation knows beside its messages, tool calls and feedback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    pub span: Option<Span>,
    pub created_at: Option<Register<Millis>>,
    pub own: Owner,
    pub by_message: Owner,
    /// Whether it is deleted; of both under one order key, it is.
    pub deleted: Option<Register<bool>>,
    pub first_text: Option<FirstTextRegister>,
}

/// Whose conversation it is: said by its own events (greatest order key) or by messages (least order key).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub user: Option<Register<Id>>,
    pub agent: Option<Register<i64>>,
    pub upstream: Option<Register<Id>>,
}

/// Joins one value into `slot`; `wins` says whether the greater or the lesser survives. `value` is made only
/// when it is needed. Returns whether the slot changed.
fn join<V: Ord>(slot: &mut Option<Register<V>>, wins: Ordering, key: &Key, value: impl FnOnce() -> V) -> bool {
    let Some(register) = slot else {
        *slot = Some(Register {
            key: key.clone(),
            value: value(),
        });
        return true;
    };
    match key.cmp(&register.key) {
        Ordering::Equal => {
            let value = value();
            let won = value.cmp(&register.value) == wins;
            if won {
                register.value = value;
            }
            won
        }
        ordering if ordering == wins => {
            register.key = key.clone();
            register.value = value();
            true
        }
        _ => false,
    }
}

fn join_slots<V: Ord + Clone>(mine: &mut Option<Register<V>>, wins: Ordering, theirs: Option<&Register<V>>) -> bool {
    theirs.is_some_and(|theirs| join(mine, wins, &theirs.key, || theirs.value.clone()))
}

impl Owner {
    fn merge(&mut self, wins: Ordering, other: &Self) -> bool {
        join_slots(&mut self.user, wins, other.user.as_ref())
            | join_slots(&mut self.agent, wins, other.agent.as_ref())
            | join_slots(&mut self.upstream, wins, other.upstream.as_ref())
    }

    fn apply(
        &mut self,
        wins: Ordering,
        key: &Key,
        user_id: Option<&str>,
        agent_id: Option<i64>,
        upstream_id: Option<&str>,
    ) -> bool {
        let ids = |slot: &mut _, id: Option<&str>| id.is_some_and(|id| join(slot, wins, key, || Id::new(id)));
        ids(&mut self.user, user_id)
            | ids(&mut self.upstream, upstream_id)
            | agent_id.is_some_and(|id| join(&mut self.agent, wins, key, || id))
    }
}

impl Registers {
    /// Counts an event's time.
    pub fn cover(&mut self, time: Millis) -> bool {
        self.extend(time, time)
    }

    fn extend(&mut self, first: Millis, last: Millis) -> bool {
        let Some(span) = &mut self.span else {
            self.span = Some(Span { first, last });
            return true;
        };
        let joined = Span {
            first: span.first.min(first),
            last: span.last.max(last),
        };
        let changed = joined != *span;
        *span = joined;
        changed
    }

    pub fn upsert(&mut self, key: &Key, fields: &ConversationFields<'_>) -> bool {
        self.own.apply(
            Ordering::Greater,
            key,
            fields.user_id.as_deref(),
            fields.agent_id,
            fields.upstream_conversation_id.as_deref(),
        ) | fields
            .created_at
            .is_some_and(|at| join(&mut self.created_at, Ordering::Greater, key, || at))
    }

    pub fn delete(&mut self, key: &Key, deleted: bool) -> bool {
        join(&mut self.deleted, Ordering::Greater, key, || deleted)
    }

    /// What a message event says about the conversation, whether or not it becomes the message's revision.
    pub fn message(&mut self, key: &Key, message: &Message<'_>, erased: &mut Erased) -> bool {
        let last = self.span.map_or(message.created_at, |span| span.last);
        self.extend(message.created_at, last)
            | self.by_message.apply(
                Ordering::Less,
                key,
                message.user_id.as_deref(),
                message.agent_id,
                message.upstream_conversation_id.as_deref(),
            )
            | FirstTextRegister::apply(&mut self.first_text, key, message, erased)
    }

    pub fn merge(&mut self, other: &Self, erased: &mut Erased) -> bool {
        other.span.is_some_and(|span| self.extend(span.first, span.last))
            | join_slots(&mut self.created_at, Ordering::Greater, other.created_at.as_ref())
            | self.own.merge(Ordering::Greater, &other.own)
            | self.by_message.merge(Ordering::Less, &other.by_message)
            | join_slots(&mut self.deleted, Ordering::Greater, other.deleted.as_ref())
            | FirstTextRegister::merge(&mut self.first_text, other.first_text.as_ref(), erased)
    }
}
