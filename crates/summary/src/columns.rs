//! What a conversation shows, computed from its state alone.

use std::cmp::Ordering;

use recap_events::Millis;

use crate::{
    Id, TokenSums,
    part::Part,
    record::{Content, Message},
    register::{Register, Registers},
    symbols::Symbol,
};

/// The columns of a conversation's row; the names are the contract's. Profiles are joined when reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// When it began.
    pub created_at: Millis,
    /// When its last event happened.
    pub updated_at: Millis,
    /// When it was deleted, unless restored.
    pub deleted_at: Option<Millis>,
    /// The user who talks.
    pub user_id: Option<String>,
    /// The agent that answers.
    pub agent_id: Option<i64>,
    /// The parent conversation.
    pub upstream_conversation_id: Option<String>,
    /// By its messages; when `None` the agent profile's is shown.
    pub agent_model: Option<String>,
    /// Of the last message that has one.
    pub last_finish_reason: Option<String>,
    /// Messages with role `user`.
    pub user_message_count: i64,
    /// Messages with role `assistant`.
    pub assistant_message_count: i64,
    /// Messages of every role.
    pub total_message_count: i64,
    /// From the first message to the last, in milliseconds.
    pub duration_ms: i64,
    /// Sums over the messages.
    pub tokens: TokenSums,
    /// Sum over the messages.
    pub attachment_count: i64,
    /// Calls of which at least one half is shown.
    pub tool_call_count: i64,
    /// Feedback not withdrawn.
    pub total_feedback: i64,
    /// Thumbs up among it.
    pub total_helpful: i64,
    /// Thumbs down among it.
    pub total_not_helpful: i64,
}

impl Columns {
    pub(crate) fn of(registers: &Registers, parts: &[Part]) -> Self {
        let (own, by_message) = (&registers.own, &registers.by_message);
        let mut columns = Self {
            created_at: match (&registers.created_at, registers.span) {
                (Some(said), _) => said.value,
                (None, Some(span)) => span.first,
                (None, None) => Millis::default(),
            },
            updated_at: registers.span.map_or_else(Millis::default, |span| span.last),
            deleted_at: registers
                .deleted
                .as_ref()
                .filter(|deleted| deleted.value)
                .map(|deleted| deleted.key.time.to_millis()),
            user_id: first(own.user.as_ref(), by_message.user.as_ref(), Id::to_string),
            agent_id: first(own.agent.as_ref(), by_message.agent.as_ref(), |id| *id),
            upstream_conversation_id: first(own.upstream.as_ref(), by_message.upstream.as_ref(), Id::to_string),
            ..Self::default()
        };
        columns.add_records(parts);
        columns
    }

    fn add_records(&mut self, parts: &[Part]) {
        let mut created: Option<(Millis, Millis)> = None;
        let (mut last_finished, mut last_modelled) = (Last::default(), Last::default());
        for part in parts {
            let computed;
            let totals = if let Some(totals) = &part.totals {
                &**totals
            } else {
                computed = part.compute_totals();
                &computed
            };
            self.user_message_count += totals.user_messages;
            self.assistant_message_count += totals.assistant_messages;
            self.total_message_count += totals.messages;
            self.tokens += totals.tokens;
            self.attachment_count += totals.attachments;
            self.tool_call_count += totals.tool_calls;
            self.total_helpful += totals.helpful;
            self.total_not_helpful += totals.not_helpful;
            created = match (created, totals.created) {
                (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
                (a, b) => a.or(b),
            };
            last_finished.offer(part, totals.last_finished);
            last_modelled.offer(part, totals.last_modelled);
        }
        self.total_feedback = self.total_helpful + self.total_not_helpful;
        self.duration_ms = created.map_or(0, |(first, last)| last.0.saturating_sub(first.0));
        self.last_finish_reason = last_finished.text(|content| content.finish_reason);
        self.agent_model = last_modelled.text(|content| content.model);
    }
}

/// What its own events say, else what messages say.
fn first<'a, V, T>(
    own: Option<&'a Register<V>>,
    by_message: Option<&'a Register<V>>,
    show: impl Fn(&'a V) -> T,
) -> Option<T> {
    own.or(by_message).map(|register| show(&register.value))
}

/// The message with the greatest `(createdAt, id)` of those offered.
#[derive(Default)]
struct Last<'a>(Option<(&'a Part, &'a Message)>);

impl<'a> Last<'a> {
    fn offer(&mut self, part: &'a Part, index: Option<usize>) {
        let Some(message) = index.map(|index| &part.messages[index]) else {
            return;
        };
        let place = |message: &'a Message| (message.created_at(), &message.id);
        if self
            .0
            .is_none_or(|(_, last)| place(last).cmp(&place(message)) == Ordering::Less)
        {
            self.0 = Some((part, message));
        }
    }

    fn text(&self, symbol: impl Fn(&Content<Symbol>) -> Symbol) -> Option<String> {
        let (part, message) = self.0?;
        part.symbols.get(symbol(message.revision.shown()?)).map(str::to_owned)
    }
}
