//! Random conversations and filters, and what the contract says of them, as directly as it can be said.

use std::collections::BTreeMap;

use chrono::DateTime;
use rand::{Rng as _, rngs::StdRng};
use recap_events::{
    AgentProfile, Change, ConversationFields, FeedbackSubmitted, Message, Micros, Millis, RawJson, ToolCallFinished,
    ToolCallStarted, Usage, UserProfile,
};
use recap_store::{AgentWrite, FeedbackFilter, Filter, MetadataFilter, RangeOn, Sort, UserWrite};
use recap_summary::{Columns, Delta, Payload};
use serde_json::Value;

const METADATA: [&str; 6] = [
    r#"{"team":"core","level":3,"office":{"city":"Oslo"},"tags":["a",["b",1]]}"#,
    r#"{"team":"3","office.city":"Rome","office":{"city":"Oslo","floor":{"no":3.0}}}"#,
    r#"{"team":null,"deep":[{"team":"core"}],"level":-0}"#,
    r#"{"beta":true,"tags":[],"office":[{"city":"Oslo"}]}"#,
    r#"{"level":"true","x":"","office":{"floor":{"no":"3"}}}"#,
    "{}",
];
const KEYS: [&str; 8] = [
    "team",
    "level",
    "office",
    "office.city",
    "office.floor.no",
    "tags",
    "beta",
    "nobody",
];
const VALUES: [&str; 11] = [
    "core", "3", "3.0", "30e-1", "true", "null", "Oslo", "b", "0", "", "nothing",
];

/// The models of agents 1 and 2; agent 3 has none.
pub const AGENT_MODELS: [&str; 2] = ["opus", "haiku"];
const MODELS: [&str; 3] = ["opus", "sonnet", "\u{fc}ber"];
const TOOLS: [&str; 3] = ["search", "sql", "Search"];
const REASONS: [&str; 2] = ["stop", "length"];

/// What the contract needs to know of a conversation.
pub struct Known {
    pub id: String,
    pub columns: Columns,
    /// Of each call that it shows, the tool and whether it failed.
    pub calls: Vec<(Option<String>, bool)>,
}

impl Known {
    pub fn new(id: &str, delta: &Delta) -> Self {
        let mut calls: BTreeMap<&str, (Option<String>, bool)> = BTreeMap::new();
        for payload in delta.payloads.iter().filter(|payload| delta.state.is_current(payload)) {
            match payload {
                Payload::ToolStarted { tool_name, .. } => {
                    calls.entry(payload.id()).or_default().0 = Some(tool_name.clone());
                }
                Payload::ToolFinished { tool_name, error, .. } => {
                    let call = calls.entry(payload.id()).or_default();
                    call.0 = call.0.take().or_else(|| tool_name.clone());
                    call.1 = error.is_some();
                }
                Payload::ToolDeleted { .. } | Payload::Feedback { .. } => {}
            }
        }
        Self {
            id: id.to_owned(),
            columns: delta.state.columns(),
            calls: calls.into_values().collect(),
        }
    }

    /// The model that is shown.
    pub fn model(&self) -> Option<&str> {
        let of_agent = || {
            let agent = usize::try_from(self.columns.agent_id?).ok()?;
            AGENT_MODELS.get(agent.checked_sub(1)?).copied()
        };
        self.columns.agent_model.as_deref().or_else(of_agent)
    }

    pub fn sorted_by(&self, sort: Sort) -> i64 {
        match sort {
            Sort::UpdatedAt => self.columns.updated_at.0,
            Sort::CreatedAt => self.columns.created_at.0,
            Sort::TotalTokens => self.columns.tokens.total,
            Sort::TotalMessageCount => self.columns.total_message_count,
            Sort::Duration => self.columns.duration_ms,
        }
    }
}

/// A few hundred conversations with everything that nesting can meet.
pub fn conversations(random: &mut StdRng) -> BTreeMap<String, Delta> {
    let mut parents: Vec<(String, Option<String>)> = Vec::new();
    for length in 30..36 {
        for link in 0..length {
            let parent = (link > 0).then(|| format!("chain{length}-{:02}", link - 1));
            parents.push((format!("chain{length}-{link:02}"), parent));
        }
    }
    for length in 1..4 {
        for link in 0..length {
            let parent = format!("cycle{length}-{}", (link + 1) % length);
            parents.push((format!("cycle{length}-{link}"), Some(parent)));
        }
        parents.push((format!("below-cycle{length}"), Some(format!("cycle{length}-0"))));
    }
    parents.push(("lost".into(), Some("nowhere".into())));
    parents.push(("foreign".into(), Some("only-theirs".into())));
    for number in 0..150 {
        let parent = random
            .random_bool(0.6)
            .then(|| format!("free{:03}", random.random_range(0..150)));
        parents.push((format!("free{number:03}"), parent));
    }
    parents
        .into_iter()
        .map(|(id, parent)| {
            let delta = conversation(random, &id, parent.as_deref());
            (id, delta)
        })
        .collect()
}

pub fn conversation(random: &mut StdRng, id: &str, parent: Option<&str>) -> Delta {
    let mut delta = Delta::default();
    let free = id.starts_with("free");
    // Few distinct times, so that ties are common.
    let time = Micros(random.random_range(100..130) * 1_000_000);
    let user = random.random_range(0..METADATA.len() + 2);
    let fields = ConversationFields {
        user_id: (!free || user > 0).then(|| format!("user{}", if free { user } else { 1 }).into()),
        agent_id: random.random_bool(0.8).then(|| random.random_range(1..4)),
        upstream_conversation_id: parent.map(Into::into),
        created_at: Some(Millis(random.random_range(0..50))),
    };
    delta.apply(&format!("{id}-u"), time, &Change::Upserted(fields));
    for number in 0..random.random_range(0..3) {
        let message = Message {
            message_id: format!("m{number}").into(),
            role: if number == 0 { "user" } else { "assistant" }.into(),
            created_at: Millis(number * random.random_range(0..4)),
            text: Some("hello".into()),
            model: random
                .random_bool(0.4)
                .then(|| MODELS[random.random_range(0..3)].into()),
            finish_reason: random
                .random_bool(0.5)
                .then(|| REASONS[random.random_range(0..2)].into()),
            usage: Usage {
                input_tokens: Some(random.random_range(0..3)),
                output_tokens: Some(4),
                ..Usage::default()
            },
            attachment_count: None,
            user_id: None,
            agent_id: None,
            upstream_conversation_id: None,
        };
        delta.apply(&format!("{id}-m{number}"), Micros(0), &Change::Message(message));
    }
    for number in 0..random.random_range(0..4) {
        call(random, &mut delta, id, number);
    }
    for number in 0..random.random_range(0..3) {
        let feedback = FeedbackSubmitted {
            feedback_id: format!("f{number}").into(),
            helpful: random.random_bool(0.5),
            comment: None,
            message_id: None,
            user_id: None,
            created_at: None,
        };
        delta.apply(
            &format!("{id}-f{number}"),
            Micros(1),
            &Change::FeedbackSubmitted(feedback),
        );
    }
    if free && random.random_bool(0.1) {
        delta.apply(&format!("{id}-d"), Micros(1), &Change::Deleted);
    }
    delta
}

/// A tool call of which a half may be missing.
fn call(random: &mut StdRng, delta: &mut Delta, id: &str, number: usize) {
    let tool = TOOLS[random.random_range(0..3)];
    let tool_call_id = format!("t{number}");
    if random.random_bool(0.7) {
        let started = ToolCallStarted {
            tool_call_id: tool_call_id.as_str().into(),
            tool_name: tool.into(),
            args: None,
            message_id: None,
            started_at: None,
        };
        delta.apply(&format!("{id}-s{number}"), Micros(1), &Change::ToolCallStarted(started));
    }
    if random.random_bool(0.7) {
        let finished = ToolCallFinished {
            tool_call_id: tool_call_id.as_str().into(),
            tool_name: random.random_bool(0.5).then(|| tool.into()),
            result: None,
            error: random.random_bool(0.2).then(|| RawJson::parse("{}").unwrap()),
            finished_at: None,
        };
        delta.apply(
            &format!("{id}-e{number}"),
            Micros(1),
            &Change::ToolCallFinished(finished),
        );
    }
    if random.random_bool(0.1) {
        let tool_call_id = tool_call_id.into();
        delta.apply(
            &format!("{id}-x{number}"),
            Micros(2),
            &Change::ToolCallDeleted { tool_call_id },
        );
    }
}

pub fn agents() -> Vec<AgentWrite> {
    let profile = |model: &'static str| AgentProfile {
        model: Some(model.into()),
        ..AgentProfile::default()
    };
    let write = |(id, model): (i64, &&'static str)| AgentWrite::new("org", id, "e", Micros(1), &profile(model));
    (1..).zip(&AGENT_MODELS).map(write).collect()
}

pub fn users() -> Vec<UserWrite> {
    let profile = |metadata: &&'static str| UserProfile {
        public_metadata: Some(RawJson::parse(metadata).unwrap()),
        ..UserProfile::default()
    };
    METADATA
        .iter()
        .enumerate()
        .map(|(number, metadata)| {
            let id = format!("user{}", number + 1);
            UserWrite::new("org", &id, "e", Micros(1), Some(&profile(metadata)))
        })
        .collect()
}

/// The metadata rules of the contract, as directly as they can be said.
fn has_metadata(user: &str, filter: &MetadataFilter) -> bool {
    let number: usize = user.trim_start_matches("user").parse().unwrap();
    let Some(text) = number.checked_sub(1).and_then(|index| METADATA.get(index)) else {
        return false;
    };
    let root: Value = serde_json::from_str(text).unwrap();
    match (&filter.key, &filter.value) {
        (Some(key), None) => at(&root, key).is_some(),
        (Some(key), Some(value)) => at(&root, key).is_some_and(|found| is(found, value)),
        (None, Some(value)) => anywhere(&root, value),
        (None, None) => false,
    }
}

fn at<'v>(root: &'v Value, key: &str) -> Option<&'v Value> {
    root.get(key).or_else(|| {
        key.split('.')
            .try_fold(root, |value, part| value.as_object()?.get(part))
    })
}

fn is(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text == wanted,
        Value::Number(number) => {
            serde_json::from_str::<f64>(wanted).is_ok_and(|wanted| number.as_f64() == Some(wanted))
        }
        Value::Bool(truth) => wanted == if *truth { "true" } else { "false" },
        Value::Null => wanted == "null",
        Value::Array(items) => items.iter().any(|item| is(item, wanted)),
        Value::Object(_) => false,
    }
}

fn anywhere(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(|value| anywhere(value, wanted)),
        Value::Array(items) => items.iter().any(|value| anywhere(value, wanted)),
        scalar => is(scalar, wanted),
    }
}

pub fn matches(known: &Known, filter: &Filter) -> bool {
    let columns = &known.columns;
    let time = match filter.range_on {
        RangeOn::CreatedAt => columns.created_at.0,
        RangeOn::UpdatedAt => columns.updated_at.0,
    };
    columns.deleted_at.is_none()
        && time >= filter.from.timestamp_millis()
        && time <= filter.to.timestamp_millis()
        && filter.model.as_deref().is_none_or(|model| known.model() == Some(model))
        && filter.tool_name.as_deref().is_none_or(|tool| {
            let is_called = |(name, _): &(Option<String>, bool)| name.as_deref() == Some(tool);
            known.calls.iter().any(is_called)
        })
        && filter
            .tool_error
            .is_none_or(|failed| known.calls.iter().any(|(_, failed)| *failed) == failed)
        && filter.feedback.is_none_or(|feedback| match feedback {
            FeedbackFilter::Any => columns.total_feedback > 0,
            FeedbackFilter::None => columns.total_feedback == 0,
            FeedbackFilter::Helpful => columns.total_helpful > 0,
            FeedbackFilter::NotHelpful => columns.total_not_helpful > 0,
        })
        && filter
            .user_id
            .as_ref()
            .is_none_or(|user| columns.user_id.as_ref() == Some(user))
        && filter.agent_id.is_none_or(|agent| columns.agent_id == Some(agent))
        && filter.metadata.as_ref().is_none_or(|metadata| {
            columns
                .user_id
                .as_ref()
                .is_some_and(|user| has_metadata(user, metadata))
        })
}

pub fn filter(random: &mut StdRng) -> Filter {
    let moment = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap();
    let (from, to) = match random.random_range(0..3) {
        0 => (0, 50),
        1 => (random.random_range(0..25), random.random_range(25..50)),
        _ => (20, 22),
    };
    let pick = |random: &mut StdRng, from: &[&str]| from[random.random_range(0..from.len())].to_owned();
    let metadata = random.random_bool(0.6).then(|| match random.random_range(0..3) {
        0 => MetadataFilter {
            key: Some(pick(random, &KEYS)),
            value: None,
        },
        1 => MetadataFilter {
            key: None,
            value: Some(pick(random, &VALUES)),
        },
        _ => MetadataFilter {
            key: Some(pick(random, &KEYS)),
            value: Some(pick(random, &VALUES)),
        },
    });
    let of = |random: &mut StdRng, texts: &[&str]| {
        let text = texts.get(random.random_range(0..=texts.len()));
        text.map_or("nobody's", |text| *text).to_owned()
    };
    let range_on = if random.random_bool(0.3) {
        RangeOn::UpdatedAt
    } else {
        RangeOn::CreatedAt
    };
    let (from, to) = match range_on {
        RangeOn::CreatedAt => (from, to),
        RangeOn::UpdatedAt => (100_000 + 600 * from, 100_000 + 600 * to),
    };
    Filter {
        range_on,
        model: random
            .random_bool(0.2)
            .then(|| of(random, &["opus", "haiku", "sonnet", MODELS[2]])),
        tool_name: random.random_bool(0.2).then(|| of(random, &TOOLS)),
        tool_error: random.random_bool(0.2).then(|| random.random_bool(0.5)),
        feedback: random.random_bool(0.3).then(|| {
            let kinds = [
                FeedbackFilter::Any,
                FeedbackFilter::None,
                FeedbackFilter::Helpful,
                FeedbackFilter::NotHelpful,
            ];
            kinds[random.random_range(0..4)]
        }),
        // Below the millisecond nothing counts.
        from: moment(from) + chrono::Duration::microseconds(999),
        to: moment(to),
        user_id: random
            .random_bool(0.2)
            .then(|| format!("user{}", random.random_range(0..8))),
        agent_id: random.random_bool(0.2).then(|| random.random_range(1..5)),
        metadata,
    }
}
