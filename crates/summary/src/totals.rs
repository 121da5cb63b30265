//! What the records of a part add up to.

use recap_events::Millis;

use crate::{
    TokenSums,
    record::{Feedback, Message, Revision, Role, ToolCall, Verdict},
};

/// Sums over a part's records, and where its last messages stand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub user_messages: i64,
    pub assistant_messages: i64,
    pub messages: i64,
    /// Least and greatest `createdAt` of its messages.
    pub created: Option<(Millis, Millis)>,
    pub tokens: TokenSums,
    pub attachments: i64,
    /// Index of the message with the greatest `(createdAt, id)` among those that have a finish reason.
    pub last_finished: Option<usize>,
    /// The same among assistant messages that have a model.
    pub last_modelled: Option<usize>,
    pub tool_calls: i64,
    pub helpful: i64,
    pub not_helpful: i64,
}

impl Totals {
    pub fn of(messages: &[Message], tool_calls: &[ToolCall], feedback: &[Feedback]) -> Self {
        let mut totals = Self {
            tool_calls: count(tool_calls.iter().filter(|call| call.is_shown()).count()),
            ..Self::default()
        };
        for (index, message) in messages.iter().enumerate() {
            let Revision::Shown(content) = &message.revision else {
                continue;
            };
            totals.messages += 1;
            match content.role {
                Role::User => totals.user_messages += 1,
                Role::Assistant => totals.assistant_messages += 1,
                Role::System | Role::Other => {}
            }
            let (first, last) = totals.created.unwrap_or((content.created_at, content.created_at));
            totals.created = Some((first.min(content.created_at), last.max(content.created_at)));
            totals.tokens += content.tokens;
            totals.attachments += i64::from(content.attachments);
            // Ids ascend, so of equal times the later index has the greater id.
            let is_last = |other: Option<usize>| {
                other.is_none_or(|other| messages[other].created_at() <= Some(content.created_at))
            };
            if content.finish_reason.index().is_some() && is_last(totals.last_finished) {
                totals.last_finished = Some(index);
            }
            if content.role == Role::Assistant && content.model.index().is_some() && is_last(totals.last_modelled) {
                totals.last_modelled = Some(index);
            }
        }
        for feedback in feedback {
            match feedback.verdict {
                Verdict::Helpful => totals.helpful += 1,
                Verdict::NotHelpful => totals.not_helpful += 1,
                Verdict::Withdrawn => {}
            }
        }
        totals
    }
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
