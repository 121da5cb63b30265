//! The contract by its own words: takes all events of a conversation at once, sorts, searches and sums.
//!
//! It shares no code with the state and knows nothing of deltas or merging, so that the two can only agree by
//! both being right. It depends on `recap-events` alone; other crates' tests may include this file by path.

use std::collections::BTreeMap;

use recap_events::{
    Change, ERASED_CONTENT, FeedbackSubmitted, Message, Micros, Millis, RawJson, ToolCallFinished, ToolCallStarted,
    text_content_hash,
};

/// An event of one conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The event's `id`.
    pub id: String,
    /// The event's `time`.
    pub time: Micros,
    /// What it says.
    pub change: Change<'static>,
}

/// What the contract says a conversation shows, profiles aside.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shown {
    pub created_at: Millis,
    pub updated_at: Millis,
    pub deleted_at: Option<Millis>,
    pub user_id: Option<String>,
    pub agent_id: Option<i64>,
    pub upstream_conversation_id: Option<String>,
    pub agent_model: Option<String>,
    pub first_message_text: Option<String>,
    pub user_message_count: i64,
    pub assistant_message_count: i64,
    pub total_message_count: i64,
    pub duration_ms: i64,
    pub total_tokens: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub attachment_count: i64,
    pub tool_calls: Vec<ShownToolCall>,
    pub last_finish_reason: Option<String>,
    pub total_feedback: i64,
    pub total_helpful: i64,
    pub total_not_helpful: i64,
    pub feedback_data: Vec<ShownFeedback>,
}

/// An element of `toolCalls`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownToolCall {
    pub tool_call_id: String,
    pub tool_name: Option<String>,
    pub args: Option<String>,
    pub result: Option<String>,
    pub error: Option<String>,
    pub message_id: Option<String>,
    pub started_at: Millis,
    pub finished_at: Option<Millis>,
}

/// An element of `feedbackData`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownFeedback {
    pub feedback_id: String,
    pub helpful: bool,
    pub comment: Option<String>,
    pub message_id: Option<String>,
    pub user_id: Option<String>,
    pub created_at: Millis,
}

/// `(time, id)`
type OrderKey<'a> = (Micros, &'a str);

fn key(event: &Event) -> OrderKey<'_> {
    (event.time, &event.id)
}

fn millis(time: Micros) -> Millis {
    Millis(time.0 / 1000)
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(ToOwned::to_owned)
}

/// Revisions of things: of each id the one with the greatest order key. Equal order keys with unequal content
/// are a producer's mistake; the contract wants one winner, `tie` names it.
fn current<'a, T: Copy, K: Ord>(
    revisions: impl Iterator<Item = (&'a Event, &'a str, T)>,
    tie: impl Fn(T) -> K,
) -> BTreeMap<&'a str, (&'a Event, T)> {
    let mut all: BTreeMap<&str, Vec<(&Event, T)>> = BTreeMap::new();
    for (event, id, revision) in revisions {
        all.entry(id).or_default().push((event, revision));
    }
    all.into_iter()
        .map(|(id, revisions)| {
            let last = revisions
                .into_iter()
                .max_by_key(|(event, revision)| (event.time, event.id.clone(), tie(*revision)));
            (id, last.unwrap())
        })
        .collect()
}

/// What all these events show together.
pub fn show(events: &[Event]) -> Shown {
    let messages = || {
        events.iter().filter_map(|event| match &event.change {
            Change::Message(message) => Some((event, &*message.message_id, message)),
            _ => None,
        })
    };
    let deletions = events.iter().filter_map(|event| match &event.change {
        Change::MessageDeleted { message_id } => Some((event, &**message_id, None)),
        _ => None,
    });
    let upserts = messages().map(|(event, id, message)| (event, id, Some(message)));
    // A deletion wins a tie.
    let revisions = current(upserts.chain(deletions), |message| {
        (message.is_none(), message.map(message_tie))
    });
    let mut shown = Shown::default();
    times(&mut shown, events);
    fields(&mut shown, events);
    first_text(&mut shown, messages(), &revisions);
    let live: Vec<&Message<'_>> = revisions.values().filter_map(|(_, message)| *message).collect();
    counts(&mut shown, &live);
    shown.tool_calls = tool_calls(events);
    feedback(&mut shown, events);
    shown
}

/// Recap's choice: the greater content, field by field.
fn message_tie<'a>(message: &'a Message<'static>) -> impl Ord + use<'a> {
    let role = ["user", "assistant", "system"]
        .iter()
        .position(|role| *role == message.role)
        .unwrap_or(3);
    let (input, output, total) = tokens(message);
    (
        message.created_at,
        role,
        input,
        output,
        Some(total).filter(|total| *total != input + output),
        message.attachment_count.unwrap_or(0),
        message.finish_reason.as_deref(),
        message.model.as_deref().filter(|_| role == 1),
    )
}

fn tokens(message: &Message<'_>) -> (i64, i64, i64) {
    let input = i64::from(message.usage.input_tokens.unwrap_or(0));
    let output = i64::from(message.usage.output_tokens.unwrap_or(0));
    let total = message.usage.total_tokens.map_or(input + output, i64::from);
    (input, output, total)
}

fn times(shown: &mut Shown, events: &[Event]) {
    let said = events
        .iter()
        .filter_map(|event| match &event.change {
            Change::Upserted(fields) => Some((key(event), fields.created_at?)),
            _ => None,
        })
        .max();
    let earliest = events
        .iter()
        .flat_map(|event| match &event.change {
            Change::Message(message) => vec![millis(event.time), message.created_at],
            _ => vec![millis(event.time)],
        })
        .min();
    shown.created_at = said.map(|(_, created_at)| created_at).or(earliest).unwrap_or_default();
    shown.updated_at = events.iter().map(|event| millis(event.time)).max().unwrap_or_default();
    let deletion = events
        .iter()
        .filter_map(|event| match event.change {
            Change::Deleted => Some((key(event), true)),
            Change::Restored => Some((key(event), false)),
            _ => None,
        })
        .max();
    shown.deleted_at = deletion
        .filter(|(_, deleted)| *deleted)
        .map(|((time, _), _)| millis(time));
}

fn fields(shown: &mut Shown, events: &[Event]) {
    /// Of the conversation's own events the greatest order key, else of the messages the least.
    fn pick<'a, V: Ord>(
        events: &'a [Event],
        own: impl Fn(&'a Change<'static>) -> Option<V>,
        by_message: impl Fn(&'a Message<'static>) -> Option<V>,
    ) -> Option<V> {
        let own = events
            .iter()
            .filter_map(|event| Some((key(event), own(&event.change)?)))
            .max();
        let by_message = events
            .iter()
            .filter_map(|event| match &event.change {
                Change::Message(message) => Some((key(event), by_message(message)?)),
                _ => None,
            })
            .min();
        own.or(by_message).map(|(_, value)| value)
    }
    fn upserted<'a, V>(
        field: impl Fn(&'a recap_events::ConversationFields<'static>) -> Option<V>,
    ) -> impl Fn(&'a Change<'static>) -> Option<V> {
        move |change| match change {
            Change::Upserted(fields) => field(fields),
            _ => None,
        }
    }
    shown.user_id = owned(pick(events, upserted(|fields| fields.user_id.as_deref()), |message| {
        message.user_id.as_deref()
    }));
    shown.agent_id = pick(events, upserted(|fields| fields.agent_id), |message| message.agent_id);
    shown.upstream_conversation_id = owned(pick(
        events,
        upserted(|fields| fields.upstream_conversation_id.as_deref()),
        |message| message.upstream_conversation_id.as_deref(),
    ));
}

fn first_text<'a>(
    shown: &mut Shown,
    messages: impl Iterator<Item = (&'a Event, &'a str, &'a Message<'static>)>,
    revisions: &BTreeMap<&str, (&Event, Option<&Message<'_>>)>,
) {
    let mut candidates: Vec<_> = messages.filter(|(_, _, message)| message.role != "system").collect();
    // Of equal order keys, a producer's mistake, the text with the greater hash; no text is least.
    candidates.sort_by_key(|(event, _, message)| {
        let text = message.text.as_deref();
        (key(event), text.map(|text| text_content_hash(Some(text))))
    });
    candidates.reverse();
    // Stable: of equal places the greatest order key stays in front.
    candidates.sort_by_key(|(_, id, message)| (message.created_at, *id));
    let Some((event, id, message)) = candidates.first() else {
        return;
    };
    let (current, shown_message) = revisions[id];
    if shown_message.is_some() && key(event) == key(current) {
        shown.first_message_text = owned(message.text.as_deref());
    }
}

fn counts(shown: &mut Shown, messages: &[&Message<'_>]) {
    let count = |role: Option<&str>| {
        let counted = messages
            .iter()
            .filter(|message| role.is_none_or(|role| message.role == role));
        i64::try_from(counted.count()).unwrap()
    };
    shown.user_message_count = count(Some("user"));
    shown.assistant_message_count = count(Some("assistant"));
    shown.total_message_count = count(None);
    let created = || messages.iter().map(|message| message.created_at.0);
    if messages.len() > 1 {
        shown.duration_ms = created().max().unwrap() - created().min().unwrap();
    }
    shown.input_tokens = messages.iter().map(|message| tokens(message).0).sum();
    shown.output_tokens = messages.iter().map(|message| tokens(message).1).sum();
    shown.total_tokens = messages.iter().map(|message| tokens(message).2).sum();
    shown.attachment_count = messages
        .iter()
        .map(|message| i64::from(message.attachment_count.unwrap_or(0)))
        .sum();
    let last = |text: &dyn for<'m> Fn(&'m Message<'_>) -> Option<&'m str>| {
        messages
            .iter()
            .filter(|message| text(message).is_some())
            .max_by_key(|message| (message.created_at, message.message_id.to_string()))
            .and_then(|message| owned(text(message)))
    };
    shown.last_finish_reason = last(&|message| message.finish_reason.as_deref());
    shown.agent_model = last(&|message| message.model.as_deref().filter(|_| message.role == "assistant"));
}

fn tool_calls(events: &[Event]) -> Vec<ShownToolCall> {
    let mut started = current(
        events.iter().filter_map(|event| match &event.change {
            Change::ToolCallStarted(call) => Some((event, &*call.tool_call_id, call)),
            _ => None,
        }),
        ToolCallStarted::content_hash,
    );
    let mut finished = current(
        events.iter().filter_map(|event| match &event.change {
            Change::ToolCallFinished(call) => Some((event, &*call.tool_call_id, call)),
            _ => None,
        }),
        ToolCallFinished::content_hash,
    );
    let mut deletions: BTreeMap<&str, OrderKey<'_>> = BTreeMap::new();
    for event in events {
        if let Change::ToolCallDeleted { tool_call_id } = &event.change {
            let latest = deletions.entry(tool_call_id).or_insert_with(|| key(event));
            *latest = key(event).max(*latest);
        }
    }
    let is_shown = |id: &str, half: &Event| deletions.get(id).is_none_or(|deletion| key(half) > *deletion);
    started.retain(|id, (event, _)| is_shown(id, event));
    finished.retain(|id, (event, _)| is_shown(id, event));
    let ids: std::collections::BTreeSet<&str> = started.keys().chain(finished.keys()).copied().collect();
    let json = |json: Option<&RawJson<'_>>| owned(json.map(RawJson::as_str));
    let mut calls: Vec<ShownToolCall> = ids
        .into_iter()
        .map(|id| {
            let start = started.get(id);
            let end = finished.get(id);
            let name = start.map(|(_, call)| &*call.tool_name);
            ShownToolCall {
                tool_call_id: id.to_owned(),
                tool_name: owned(name.or_else(|| end.and_then(|(_, call)| call.tool_name.as_deref()))),
                args: start.and_then(|(_, call)| json(call.args.as_ref())),
                result: end.and_then(|(_, call)| json(call.result.as_ref())),
                error: end.and_then(|(_, call)| json(call.error.as_ref())),
                message_id: start.and_then(|(_, call)| owned(call.message_id.as_deref())),
                started_at: match (start, end) {
                    (Some((event, call)), _) => call.started_at.unwrap_or(millis(event.time)),
                    (None, Some((event, _))) => millis(event.time),
                    (None, None) => unreachable!("an id of one of them"),
                },
                finished_at: end.map(|(event, call)| call.finished_at.unwrap_or(millis(event.time))),
            }
        })
        .collect();
    calls.sort_by_key(|call| (call.started_at, call.tool_call_id.clone()));
    calls
}

fn feedback(shown: &mut Shown, events: &[Event]) {
    let revisions = current(
        events.iter().filter_map(|event| match &event.change {
            Change::FeedbackSubmitted(feedback) => Some((event, &*feedback.feedback_id, Some(feedback))),
            Change::FeedbackWithdrawn { feedback_id } => Some((event, &**feedback_id, None)),
            _ => None,
        }),
        |feedback| feedback.map_or(ERASED_CONTENT, FeedbackSubmitted::content_hash),
    );
    shown.feedback_data = revisions
        .into_iter()
        .filter_map(|(id, (event, feedback))| {
            let feedback = feedback?;
            Some(ShownFeedback {
                feedback_id: id.to_owned(),
                helpful: feedback.helpful,
                comment: owned(feedback.comment.as_deref()),
                message_id: owned(feedback.message_id.as_deref()),
                user_id: owned(feedback.user_id.as_deref()),
                created_at: feedback.created_at.unwrap_or(millis(event.time)),
            })
        })
        .collect();
    shown
        .feedback_data
        .sort_by_key(|feedback| (feedback.created_at, feedback.feedback_id.clone()));
    let count = |helpful: bool| {
        let counted = shown.feedback_data.iter().filter(|f| f.helpful == helpful);
        i64::try_from(counted.count()).unwrap()
    };
    (shown.total_helpful, shown.total_not_helpful) = (count(true), count(false));
    shown.total_feedback = shown.total_helpful + shown.total_not_helpful;
}
