//! Changes of an event that a schema can tell good from bad by.

use proptest::{collection::vec, prelude::*, sample::select};
use recap_events::EventType;
use serde_json::{Map, Value, json};

/// What becomes of one field.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// Where it is: `/data/usage/inputTokens`.
    pointer: String,
    /// `None` takes it away.
    value: Option<Value>,
}

impl Mutation {
    pub fn set(pointer: &str, value: Value) -> Self {
        Self {
            pointer: pointer.to_owned(),
            value: Some(value),
        }
    }

    /// Does nothing where there is no object to change.
    pub fn apply(&self, event: &mut Value) {
        let Some((parent, name)) = self.pointer.rsplit_once('/') else {
            return;
        };
        if let Some(Value::Object(fields)) = event.pointer_mut(parent) {
            change(fields, name, self.value.clone());
        }
    }
}

fn change(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        // What Base64 holds no schema can tell.
        Some(Value::String(_)) if name == "data_base64" => {}
        Some(value) => {
            fields.insert(name.to_owned(), value);
        }
        None => {
            fields.remove(name);
        }
    }
}

pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    vec(mutation(), 1..4)
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (pointer(), proptest::option::weighted(0.9, value())).prop_map(|(pointer, value)| Mutation { pointer, value }),
        1 => select(MEDIA_TYPES).prop_map(|text| Mutation::set("/datacontenttype", text.into())),
        1 => select(EventType::ALL.to_vec()).prop_map(|event_type| Mutation::set("/type", event_type.as_str().into())),
    ]
}

fn pointer() -> impl Strategy<Value = String> {
    let envelope = select(ENVELOPE).prop_map(|name| format!("/{name}"));
    let data = select(DATA).prop_map(|name| format!("/data/{name}"));
    let usage = select(USAGE).prop_map(|name| format!("/data/usage/{name}"));
    prop_oneof![2 => envelope, 6 => data, 1 => usage]
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        select(TIMES).prop_map(str::to_owned),
        Just(String::new()),
        Just("a\0b".to_owned()),
        (254..258_usize).prop_map(|length| "x".repeat(length)),
        "[a-z]{1,8}",
    ];
    let number = prop_oneof![
        select(INTEGERS).prop_map(|number| json!(number)),
        select(DOUBLES).prop_map(|number| json!(number)),
        any::<i32>().prop_map(|number| json!(number)),
    ];
    prop_oneof![
        4 => text.prop_map(Value::from),
        4 => number,
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => select(vec![json!([]), json!({}), json!([1]), json!({"orgId": "o"}), json!({"inputTokens": 1.5})]),
    ]
}

const ENVELOPE: &[&str] = &[
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "datacontenttype",
    "data",
    "data_base64",
    "subject",
];
const DATA: &[&str] = &[
    "orgId",
    "conversationId",
    "messageId",
    "toolCallId",
    "feedbackId",
    "userId",
    "agentId",
    "upstreamConversationId",
    "role",
    "createdAt",
    "text",
    "model",
    "finishReason",
    "usage",
    "attachmentCount",
    "toolName",
    "args",
    "result",
    "error",
    "startedAt",
    "finishedAt",
    "helpful",
    "comment",
    "email",
    "firstName",
    "publicMetadata",
    "name",
    "logoUrl",
    "other",
];
const USAGE: &[&str] = &["inputTokens", "outputTokens", "totalTokens", "other"];
const MEDIA_TYPES: &[&str] = &[
    "application/json",
    " Text/JSON ; charset=utf-8",
    "application/vnd.acme.order+json",
    "application/cloudevents+json",
    "Application/CloudEvents-x+json",
    "application/+json",
    "application/jsonl",
    "text/plain",
];
const TIMES: &[&str] = &[
    "2026-01-05T10:00:00Z",
    "2026-01-05t10:00:00.123456789z",
    "2026-01-05T10:00:00.5+05:30",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:30:00-01:00",
    "2016-12-31T23:59:60Z",
    "2026-13-05T10:00:00Z",
    "2026-01-32T10:00:00Z",
    "2026-01-05 10:00:00Z",
    "2026-01-05T10:00:00",
    "2026-01-05T10:00:00.Z",
    "2026-01-05T24:00:00Z",
    "2026-01-05T10:60:00Z",
    "2026-01-05T10:00:61Z",
    "2026-01-05T10:00:00+24:00",
    "1969-01-01T00:00:00Z",
    "yesterday",
];
const INTEGERS: &[i64] = &[
    0,
    -1,
    2_147_483_647,
    2_147_483_648,
    9_007_199_254_740_991,
    -9_007_199_254_740_991,
    9_007_199_254_740_992,
    i64::MAX,
    i64::MIN,
];
const DOUBLES: &[f64] = &[1.0, -0.0, 1.5, 1e3, 2_147_483_647.0, 2_147_483_648.0, 1e300, -2.25];
