//! The contract's small example, in both modes and in every order of the envelope's fields.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use recap_events::{Body, Change, Decoded, Event, EventType, Micros, Millis, Usage, decode};
use serde_json::value::RawValue;

const GOLDEN: &str = include_str!("golden/events.ndjson");

fn events() -> impl Iterator<Item = (&'static str, Event<'static>)> {
    GOLDEN
        .lines()
        .filter_map(|line| match decode(Some(line.as_bytes()), std::iter::empty(), None) {
            Decoded::Event(event) => Some((line, event)),
            Decoded::Skipped(_) => None,
            Decoded::Invalid(invalid) => panic!("{invalid}: {line}"),
        })
}

fn event_ending(digits: &str) -> Event<'static> {
    events()
        .map(|(_, event)| event)
        .find(|event| event.id.ends_with(digits))
        .unwrap()
}

#[test]
fn all_40_events_are_valid_or_of_the_one_unknown_type() {
    let mut of_type = BTreeMap::new();
    for (_, event) in events() {
        *of_type.entry(event.event_type().as_str()).or_insert(0) += 1;
    }
    assert_eq!(GOLDEN.lines().count(), 40);
    assert_eq!(of_type.values().sum::<usize>(), 39);
    assert_eq!(of_type.len(), 12);
    assert_eq!(of_type["message.upserted"], 15);
    assert_eq!(of_type["feedback.submitted"], 4);
    assert_eq!(of_type["message.deleted"], 1);
    assert_eq!(of_type["tool_call.deleted"], 1);
}

#[test]
fn both_modes_and_any_order_of_fields_give_the_same_event() {
    for (line, expected) in events() {
        let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(line).unwrap();
        let attribute = |name: &str| serde_json::from_str::<String>(fields[name].get()).unwrap();
        let (id, event_type, time) = (attribute("id"), attribute("type"), attribute("time"));
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", &id),
            ("ce_source", "somewhere"),
            ("ce_type", &event_type),
            ("ce_time", &time),
            ("content-type", "application/json"),
        ];
        let data = fields["data"].get().as_bytes();
        let binary = decode(
            Some(data),
            headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))),
            None,
        );
        assert_eq!(binary, Decoded::Event(expected.clone()));

        // A BTreeMap writes `data` first and `type` last.
        let sorted = serde_json::to_string(&fields).unwrap();
        let sorted = decode(Some(sorted.as_bytes()), std::iter::empty(), None);
        assert_eq!(sorted, Decoded::Event(expected));
    }
}

#[test]
fn a_message_is_read_whole() {
    let event = event_ending("0028");
    assert_eq!(event.time, Micros(1_709_276_400_000_000));
    assert_eq!(event.org_id, "org_2gLobex");
    assert_eq!(event.event_type(), EventType::MessageUpserted);
    let Body::Conversation {
        conversation_id,
        change: Change::Message(message),
    } = event.body
    else {
        panic!("not a message");
    };
    assert_eq!(conversation_id, "7b0c1f52-6f0e-4c55-9a41-0f3f6f0f1a01");
    assert_eq!(message.message_id, "m-101");
    assert_eq!(message.role, "user");
    assert_eq!(message.created_at, Millis(1_709_276_400_000));
    assert_eq!(message.text.as_deref(), Some("Globex only"));
    assert_eq!(message.model, None);
    assert_eq!(message.finish_reason, None);
    assert_eq!(
        message.usage,
        Usage {
            input_tokens: Some(7),
            ..Usage::default()
        }
    );
    assert_eq!(message.attachment_count, None);
    assert_eq!(message.user_id.as_deref(), Some("user_hank"));
    assert_eq!(message.agent_id, Some(12));
    assert_eq!(
        message.upstream_conversation_id.as_deref(),
        Some("7b0c1f52-6f0e-4c55-9a41-0f3f6f0f1a05")
    );
}

#[test]
fn nul_is_shown_as_the_replacement_character() {
    let Body::Conversation {
        change: Change::Message(message),
        ..
    } = event_ending("0017").body
    else {
        panic!("not a message");
    };
    assert_eq!(message.text.as_deref(), Some("Find the regional split\u{fffd}."));
}

#[test]
fn json_values_keep_their_text() {
    let Body::Conversation {
        change: Change::ToolCallFinished(call),
        ..
    } = event_ending("0007").body
    else {
        panic!("not a finished call");
    };
    assert_eq!(call.result.unwrap().as_str(), r#"{"rows":[["EMEA",41.5],["APAC",17]]}"#);
    assert_eq!(call.error, None);
}
