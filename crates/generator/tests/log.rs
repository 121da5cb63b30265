//! What the log promises: the same bytes every time, the proportions asked for, and no end to it where none is asked for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use recap_events::{Body, Decoded, decode};
use recap_generator::{Config, Log, Record};
use recap_log::Topic;
use serde_json::Value;

fn parse(record: &Record) -> Value {
    serde_json::from_slice(&record.value).unwrap()
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn share(count: usize, of: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(of).unwrap())
}

fn medium() -> Config {
    Config {
        events: 60_000,
        in_flight: 1_200,
        ..Config::default()
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let log = Log::new(Config::small(7, 5_000));
    let first: Vec<Record> = log.iter().collect();
    let again: Vec<Record> = Log::new(Config::small(7, 5_000)).iter().collect();
    let other: Vec<Record> = Log::new(Config::small(8, 5_000)).iter().collect();
    assert_eq!(first.len(), 5_000);
    assert_eq!(first, again);
    assert_ne!(first, other);

    let mut reused = Record::default();
    let mut records = log.iter();
    for record in &first {
        assert!(records.next_into(&mut reused));
        assert_eq!(&reused, record);
    }
    assert!(!records.next_into(&mut reused));
}

#[test]
fn all_types_occur_each_in_its_topic() {
    let mut types = BTreeMap::new();
    for record in &Log::new(Config::small(1, 20_000)) {
        let event = parse(&record);
        types.insert(text(&event, "/type").to_owned(), record.topic);
    }
    let expected = [
        ("agent.upserted", Topic::Agents),
        ("conversation.deleted", Topic::Conversations),
        ("conversation.restored", Topic::Conversations),
        ("conversation.upserted", Topic::Conversations),
        ("feedback.submitted", Topic::Feedback),
        ("feedback.withdrawn", Topic::Feedback),
        ("message.deleted", Topic::Messages),
        ("message.upserted", Topic::Messages),
        ("tool_call.deleted", Topic::ToolCalls),
        ("tool_call.finished", Topic::ToolCalls),
        ("tool_call.started", Topic::ToolCalls),
        ("user.deleted", Topic::Users),
        ("user.upserted", Topic::Users),
    ];
    let expected: BTreeMap<String, Topic> = expected.map(|(name, topic)| (name.to_owned(), topic)).into();
    assert_eq!(types, expected);
}

#[test]
fn the_proportions_are_those_of_the_configuration() {
    let config = medium();
    let total = usize::try_from(config.events).unwrap();
    let mut ids = BTreeSet::new();
    let (mut duplicates, mut late, mut newest) = (0, 0, 0);
    let mut topics: HashMap<Topic, usize> = HashMap::new();
    let mut organizations: HashMap<String, usize> = HashMap::new();
    let mut messages: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut versions = 0;
    for record in &Log::new(config.clone()) {
        let event = parse(&record);
        *topics.entry(record.topic).or_default() += 1;
        *organizations.entry(text(&event, "/data/orgId").to_owned()).or_default() += 1;
        if !ids.insert(text(&event, "/id").to_owned()) {
            duplicates += 1;
            continue;
        }
        late += usize::from(record.time < newest);
        newest = newest.max(record.time);
        if record.topic == Topic::Messages {
            let conversation = messages
                .entry(text(&event, "/data/conversationId").to_owned())
                .or_default();
            if !conversation.insert(text(&event, "/data/messageId").to_owned()) {
                versions += 1;
            }
            let chars = text(&event, "/data/text").chars().count();
            assert!(chars == 0 || (40..=2_000).contains(&chars), "{chars} characters");
        }
        for payload in ["/data/args", "/data/result", "/data/error"] {
            let size = event.pointer(payload).map_or(1_000, |json| json.to_string().len());
            assert!((180..4_300).contains(&size), "{payload} of {size} bytes");
        }
    }
    let near = |what: &str, found: f64, wanted: f64| {
        assert!((found / wanted - 1.0).abs() < 0.25, "{what}: {found}, not {wanted}");
    };
    near("tool calls", share(topics[&Topic::ToolCalls], total), 0.10);
    near("feedback", share(topics[&Topic::Feedback], total), 0.02);
    near("duplicates", share(duplicates, total), 0.03);
    near("late", share(late, total), 0.05);
    assert!(versions > 20, "{versions} revisions");
    assert_eq!(organizations.len(), 50);
    near(
        "largest organization",
        share(*organizations.values().max().unwrap(), total),
        0.22,
    );
    let sizes: Vec<usize> = messages.values().map(BTreeSet::len).collect();
    near("messages a conversation", share(sizes.iter().sum(), sizes.len()), 20.0);
    assert!(sizes.iter().max().unwrap() > &300, "no long conversation");
}

#[test]
fn invalid_events_come_only_when_asked_for_and_are_marked() {
    assert!(!Log::new(Config::small(3, 3_000)).iter().any(|record| record.invalid));
    let config = Config {
        invalid_share: 0.05,
        ..Config::small(3, 3_000)
    };
    let invalid = Log::new(config).iter().filter(|record| record.invalid).count();
    assert!((75..300).contains(&invalid), "{invalid}");
}

#[test]
fn an_endless_log_follows_the_time_it_is_given() {
    let config = Config {
        events: u64::MAX,
        late_share: 0.0,
        duplicate_share: 0.0,
        lifecycle_share: 0.0,
        ..Config::small(4, 0)
    };
    let mut records = Log::new(config).iter();
    assert!(records.by_ref().take(1_000).count() == 1_000);
    let later = 1_800_000_000_000_000;
    records.set_time(later);
    assert!(records.take(1_000).all(|record| record.time > later));
}

fn structured(record: &Record) -> Decoded<'_> {
    decode(Some(&record.value), std::iter::empty(), None)
}

#[test]
fn every_event_is_valid_by_the_contract() {
    for config in [medium(), Config::small(5, 30_000)] {
        for record in &Log::new(config) {
            let Decoded::Event(event) = structured(&record) else {
                panic!("{:?}: {}", structured(&record), String::from_utf8_lossy(&record.value));
            };
            assert_eq!(event.time.0, record.time);
            let key = match &event.body {
                Body::Conversation { conversation_id, .. } => conversation_id.to_string(),
                Body::User { user_id, .. } => format!("{}/{user_id}", event.org_id),
                Body::Agent { agent_id, .. } => format!("{}/{agent_id}", event.org_id),
            };
            assert_eq!(key.as_bytes(), record.key);
        }
    }
}

#[test]
fn exactly_the_events_marked_invalid_are_refused() {
    let mut reasons = BTreeSet::new();
    let config = Config {
        invalid_share: 0.1,
        ..Config::small(6, 5_000)
    };
    for record in &Log::new(config) {
        match structured(&record) {
            Decoded::Invalid(invalid) if record.invalid => {
                reasons.insert(invalid.reason.as_str());
            }
            Decoded::Event(_) if !record.invalid => {}
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&record.value)),
        }
    }
    assert!(reasons.len() >= 8, "only {reasons:?}");
}
