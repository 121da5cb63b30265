//! The `AsyncAPI` 3 document: which topics there are, and how a record of each holds an event.

use recap_events::{
    EventType,
    schema::{data_schema, event_schema},
};
use recap_log::Topic;
use recap_projector::dead_letters::format;
use serde_json::{Map, Value, json};

const DEAD_LETTERS: &str = "recap.dead-letters";

/// The whole document, which refers to nothing outside it.
pub fn document() -> Value {
    let mut channels = Map::new();
    let mut operations = Map::new();
    for topic in Topic::ALL {
        let name = topic.name();
        channels.insert(name.to_owned(), channel(topic));
        let operation = json!({
            "action": "receive",
            "summary": "recap reads every event, and skips types that it does not know.",
            "channel": {"$ref": format!("#/channels/{name}")},
        });
        operations.insert(format!("read.{name}"), operation);
    }
    channels.insert(DEAD_LETTERS.to_owned(), dead_letters());
    let operation = json!({
        "action": "send",
        "summary": "recap publishes what it refuses, and `recap dead-letters replay` publishes it again where it came from.",
        "channel": {"$ref": format!("#/channels/{DEAD_LETTERS}")},
    });
    operations.insert("write.dead-letters".to_owned(), operation);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "recap events",
            "version": "1.1.0",
            "description": "What producers publish for recap: CloudEvents 1.0 with JSON data, structured or binary, a record each. \
                            Topics are configuration (`RECAP_TOPICS`), these are the defaults; the type of an event decides what it means. \
                            In words: `crates/events/CONTRACT.md`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": components(),
    })
}

/// The types that a topic has by default.
fn types_of(topic: Topic) -> impl Iterator<Item = EventType> {
    EventType::ALL
        .into_iter()
        .filter(move |event_type| topic_of(*event_type) == topic)
}

fn topic_of(event_type: EventType) -> Topic {
    match event_type {
        EventType::ConversationUpserted | EventType::ConversationDeleted | EventType::ConversationRestored => {
            Topic::Conversations
        }
        EventType::MessageUpserted | EventType::MessageDeleted => Topic::Messages,
        EventType::ToolCallStarted | EventType::ToolCallFinished | EventType::ToolCallDeleted => Topic::ToolCalls,
        EventType::FeedbackSubmitted | EventType::FeedbackWithdrawn => Topic::Feedback,
        EventType::UserUpserted | EventType::UserDeleted => Topic::Users,
        EventType::AgentUpserted => Topic::Agents,
    }
}

fn key_of(topic: Topic) -> &'static str {
    match topic {
        Topic::Users => "`orgId/userId`. It decides only the partition: recap needs no key.",
        Topic::Agents => "`orgId/agentId`. It decides only the partition: recap needs no key.",
        _ => "`conversationId`. It decides only the partition: recap needs no key.",
    }
}

fn channel(topic: Topic) -> Value {
    let mut messages = Map::new();
    for event_type in types_of(topic) {
        for name in [event_type.to_string(), binary_name(event_type)] {
            let message = json!({"$ref": format!("#/components/messages/{name}")});
            messages.insert(name, message);
        }
    }
    json!({
        "address": topic.name(),
        "description": "Not compacted: the newest record of a key need not have the greatest order key. Kept for as long as a rebuild shall have it.",
        "messages": messages,
        "bindings": {"kafka": {
            "topic": topic.name(),
            "topicConfiguration": {"cleanup.policy": ["delete"]},
            "bindingVersion": "0.5.0",
        }},
    })
}

fn binary_name(event_type: EventType) -> String {
    format!("{event_type}.binary")
}

fn components() -> Value {
    let mut messages = Map::new();
    let mut schemas = Map::new();
    for event_type in EventType::ALL {
        let data_name = format!("{event_type}.data");
        let data = json!({"$ref": format!("#/components/schemas/{data_name}")});
        schemas.insert(data_name, data_schema(event_type));
        schemas.insert(event_type.to_string(), event_schema(event_type, &data));
        messages.insert(event_type.to_string(), structured(event_type));
        messages.insert(binary_name(event_type), binary(event_type, &data));
    }
    json!({"messages": messages, "schemas": schemas})
}

fn structured(event_type: EventType) -> Value {
    json!({
        "name": event_type.as_str(),
        "title": format!("{event_type}, structured"),
        "summary": "The value is the whole event.",
        "contentType": "application/cloudevents+json",
        "headers": {"type": "object", "properties": {
            "content-type": {"type": "string", "const": "application/cloudevents+json"},
            "traceparent": trace(),
        }},
        "payload": {"$ref": format!("#/components/schemas/{event_type}")},
        "bindings": kafka(event_type),
    })
}

fn binary(event_type: EventType, data: &Value) -> Value {
    let event = event_schema(event_type, &Value::Null);
    let attribute = |name: &str| event["properties"][name].clone();
    json!({
        "name": event_type.as_str(),
        "title": format!("{event_type}, binary"),
        "summary": "The value is the data; the attributes of the event are headers, their values text.",
        "contentType": "application/json",
        "headers": {"type": "object", "required": ["ce_id", "ce_time", "ce_type"], "properties": {
            "ce_specversion": attribute("specversion"),
            "ce_id": attribute("id"),
            "ce_source": attribute("source"),
            "ce_type": attribute("type"),
            "ce_time": attribute("time"),
            "content-type": {"type": "string", "examples": ["application/json"]},
            "traceparent": trace(),
        }},
        "payload": data,
        "bindings": kafka(event_type),
    })
}

fn trace() -> Value {
    json!({"type": "string", "description": "W3C Trace Context: the flush of the event belongs to this trace."})
}

fn kafka(event_type: EventType) -> Value {
    json!({"kafka": {
        "key": {"type": "string", "description": key_of(topic_of(event_type))},
        "bindingVersion": "0.5.0",
    }})
}

fn dead_letters() -> Value {
    let text = |says: &str| json!({"type": "string", "description": says});
    let headers = json!({
        format::TOPIC: text("The topic of the record that was refused."),
        format::PARTITION: text("Its partition."),
        format::OFFSET: text("Its offset."),
        format::TIMESTAMP: text("Its timestamp, in milliseconds since 1970."),
        format::REASON: text("Why it was refused: a stable code of the contract, `mapping`, `database-refused` or `unreadable-headers`."),
        format::ERROR: text("The same in a sentence, which quotes no value of the event."),
        format::EVENT_TYPE: text("The type of the event, when that much could be read."),
        format::FIRST_FAILURE: text("When it was refused first (RFC 3339)."),
        format::LAST_FAILURE: text("When it was refused last (RFC 3339)."),
        format::VALUE_OMITTED: text("`true` when the value was too large for the topic."),
        format::HEADERS_OMITTED: text("`true` when the record's own headers were too large."),
        format::KEY_OMITTED: text("`true` when the key was too large."),
    });
    let required = [
        format::TOPIC,
        format::PARTITION,
        format::OFFSET,
        format::REASON,
        format::ERROR,
        format::FIRST_FAILURE,
        format::LAST_FAILURE,
    ];
    json!({
        "address": DEAD_LETTERS,
        "description": "Records that recap refused, with their key, value and headers, and headers of recap's own.",
        "messages": {"deadLetter": {
            "name": "dead letter",
            "summary": "The record as it was.",
            "contentType": "application/octet-stream",
            "headers": {"type": "object", "required": required, "properties": headers},
            "payload": {"description": "The value of the record, whatever it is."},
        }},
        "bindings": {"kafka": {"topic": DEAD_LETTERS, "bindingVersion": "0.5.0"}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_in_one_topic_and_every_topic_has_one() {
        let of_topics = Topic::ALL.map(|topic| types_of(topic).count());
        assert!(of_topics.iter().all(|count| *count > 0), "{of_topics:?}");
        assert_eq!(of_topics.iter().sum::<usize>(), EventType::ALL.len());
    }
}
