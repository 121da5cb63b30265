//! What the sample promises: valid events in the order of their delivery, the same every time, and something to look at.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use recap_events::{Decoded, decode};
use recap_generator::{Record, Sample, SampleConfig};
use recap_log::Topic;
use serde_json::Value;

const DAY: i64 = 86_400_000_000;
const START: i64 = 1_767_225_600_000_000;
const UNTIL: i64 = START + 21 * DAY;

fn sample(conversations: u64) -> Sample {
    Sample::new(SampleConfig {
        seed: 1,
        conversations,
        start: START,
        until: UNTIL,
        rate: 3.0,
    })
}

/// What is delivered until the end of the history.
fn history(sample: &Sample) -> Vec<(i64, Record)> {
    let mut records = sample.records();
    std::iter::from_fn(|| Some(records.next_record()))
        .take_while(|(due, _)| *due <= UNTIL)
        .collect()
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn parsed(records: &[(i64, Record)]) -> Vec<Value> {
    records
        .iter()
        .map(|(_, record)| serde_json::from_slice(&record.value).unwrap())
        .collect()
}

#[test]
fn every_event_is_valid_and_delivered_in_order_after_it_happened() {
    let records = history(&sample(400));
    assert_eq!(records, history(&sample(400)));
    assert!(records.is_sorted_by_key(|(due, _)| *due));
    for (due, record) in &records {
        assert!(record.time <= *due);
        let decoded = decode(Some(&record.value), std::iter::empty(), None);
        assert!(
            matches!(decoded, Decoded::Event(_)),
            "{}",
            String::from_utf8_lossy(&record.value)
        );
    }
}

#[test]
fn a_conversation_has_as_many_events_as_are_said() {
    let conversations = 3_000;
    let records = history(&sample(conversations));
    let each = f64::from(u32::try_from(records.len()).unwrap()) / 3_000.0;
    assert!(
        (each / Sample::EVENTS_EACH - 1.0).abs() < 0.1,
        "{each} events a conversation"
    );
}

#[test]
fn there_is_something_to_look_at() {
    let records = history(&sample(3_000));
    let events = parsed(&records);
    let of = |topic: Topic| {
        records
            .iter()
            .zip(&events)
            .filter(move |((_, record), _)| record.topic == topic)
            .map(|(_, event)| event)
    };
    let values = |topic: Topic, pointer: &'static str| {
        of(topic)
            .map(|event| text(event, pointer).to_owned())
            .filter(|value| !value.is_empty())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(values(Topic::Agents, "/data/name").len(), 10);
    assert!(values(Topic::ToolCalls, "/data/toolName").len() > 35);
    assert!(values(Topic::Messages, "/data/model").len() == 5);
    assert!(values(Topic::Feedback, "/data/comment").len() > 60);
    let openings = values(Topic::Messages, "/data/text");
    assert!(openings.len() > 2_000, "{} different texts", openings.len());

    let parents: BTreeMap<&str, &str> = of(Topic::Conversations)
        .map(|event| {
            (
                text(event, "/data/conversationId"),
                text(event, "/data/upstreamConversationId"),
            )
        })
        .filter(|(_, parent)| !parent.is_empty())
        .collect();
    assert!(parents.len() > 500, "{} sub-conversations", parents.len());
    assert!(
        parents.values().any(|parent| parents.contains_key(parent)),
        "none is two levels deep"
    );

    let finished: Vec<&Value> = of(Topic::ToolCalls)
        .filter(|event| text(event, "/type") == "tool_call.finished")
        .collect();
    let failed = |event: &&&Value| event.pointer("/data/error").is_some();
    let share = finished.iter().filter(failed).count() * 100 / finished.len();
    assert!((2..12).contains(&share), "{share}% of the calls fail");
    let day = (UNTIL / DAY - 2) * DAY;
    let outage = finished.iter().filter(|event| {
        let at = chrono::DateTime::parse_from_rfc3339(text(event, "/time"))
            .unwrap()
            .timestamp_micros();
        (day + DAY / 2..day + DAY / 24 * 17).contains(&at)
    });
    let (mut all, mut bad) = (0, 0);
    for event in outage {
        all += 1;
        bad += usize::from(failed(&event));
    }
    assert!(bad * 100 / all.max(1) > 15, "{bad} of {all} failed in the outage");

    let helpful = of(Topic::Feedback)
        .filter(|event| event.pointer("/data/helpful") == Some(&Value::Bool(true)))
        .count();
    let rated = of(Topic::Feedback).count();
    assert!(
        (60..92).contains(&(helpful * 100 / rated)),
        "{helpful} of {rated} are helpful"
    );
}

#[test]
fn it_goes_on_at_its_rate() {
    let mut records = sample(50).records();
    let live: Vec<i64> = std::iter::from_fn(|| Some(records.next_record().0))
        .skip_while(|due| *due <= UNTIL)
        .take(3_000)
        .collect();
    let seconds = (live[2_999] - live[0]) / 1_000_000;
    assert!(
        (700..1_500).contains(&seconds),
        "3000 events in {seconds} s, at 3 a second"
    );
}
