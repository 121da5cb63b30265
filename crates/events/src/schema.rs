//! The contract as JSON Schemas (draft 2020-12): what [`decode`](crate::decode) takes, as far as a schema can say it.
//!
//! A schema never refuses what the decoder takes. What it cannot say, and the decoder refuses all the same: ids of more than 255 bytes in 255
//! characters or fewer, days and leap seconds that the calendar does not have, times whose offset takes them out of the years 1970–9999, a field
//! that stands twice, half of a surrogate pair, and what Base64 holds.
//!
//! No keyword is used that draft-07 understands otherwise, so that `AsyncAPI` documents can hold the schemas as they are.

mod fields;

use serde_json::{Map, Value, json};

use self::fields::{Field, Kind, effect, fields};
use crate::{
    EventType,
    reader::{MAX_AGENT_ID, MAX_COUNT, MAX_ID_BYTES},
};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// RFC 3339 with `T` and `Z` in either case; the last day of 1969 where an offset takes it into 1970.
const TIME: &str = "^(?:1969-12-31|(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]))[Tt]\
                    (?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$";

/// The schema of the data of events of that type: the value of a record in binary mode.
#[must_use]
pub fn data_schema(event_type: EventType) -> Value {
    let mut schema = object(&fields(event_type));
    schema.insert("title".into(), format!("{event_type} data").into());
    schema.insert("description".into(), effect(event_type).into());
    schema.into()
}

/// The schema of a whole event of that type, whose data is as the schema `data` says: the value of a record in structured mode.
#[must_use]
pub fn event_schema(event_type: EventType, data: &Value) -> Value {
    let ignored = "Required by CloudEvents; recap ignores it.";
    let base64 = json!({"type": "string", "contentEncoding": "base64", "contentMediaType": "application/json"});
    json!({
        "title": event_type.as_str(),
        "description": effect(event_type),
        "type": "object",
        "required": ["id", "time", "type"],
        "properties": {
            "specversion": {"type": ["string", "null"], "description": ignored, "examples": ["1.0"]},
            "source": {"type": ["string", "null"], "description": ignored, "examples": ["/chat"]},
            "id": with(id(), "Unique among all events, of a kind that sorts by time: UUIDv7 or ULID. Of equal times the greater id wins."),
            "type": {"const": event_type.as_str()},
            "time": with(time(), "When it happened. The later time wins; microseconds count, what is finer is cut off."),
            "datacontenttype": {
                "type": ["string", "null"],
                "pattern": json_media_type(),
                "not": {"type": "string", "pattern": event_media_type()},
                "description": "Absent or JSON.",
                "examples": ["application/json"],
            },
        },
        "anyOf": [
            {"required": ["data"], "properties": {"data": data, "data_base64": {"type": "null"}}},
            {"required": ["data_base64"], "properties": {"data_base64": base64, "data": {"type": "null"}}},
        ],
    })
}

/// A document of its own: events of that type in structured mode, with the schema of their data at `#/$defs/data`.
#[must_use]
pub fn document(event_type: EventType) -> Value {
    let mut schema = event_schema(event_type, &json!({"$ref": "#/$defs/data"}));
    schema["$schema"] = DRAFT.into();
    schema["$id"] = format!("urn:recap:event:{event_type}").into();
    schema["$defs"] = json!({"data": data_schema(event_type)});
    schema
}

/// A document of its own: events of every type in structured mode, one by one at `#/$defs/TYPE`, their data at `#/$defs/TYPE.data`.
#[must_use]
pub fn document_of_all() -> Value {
    let mut definitions = Map::new();
    let mut any = Vec::new();
    for event_type in EventType::ALL {
        let data = format!("{event_type}.data");
        let event = event_schema(event_type, &json!({"$ref": format!("#/$defs/{data}")}));
        definitions.insert(event_type.to_string(), event);
        definitions.insert(data, data_schema(event_type));
        any.push(json!({"$ref": format!("#/$defs/{event_type}")}));
    }
    json!({
        "$schema": DRAFT,
        "$id": "urn:recap:event",
        "title": "event",
        "description": "An event that recap reads. One of another type is skipped and counted.",
        "anyOf": any,
        "$defs": definitions,
    })
}

fn object(fields: &[Field]) -> Map<String, Value> {
    let required = fields.iter().filter(|field| field.is_required).map(|field| field.name);
    let required: Vec<&str> = required.collect();
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    let properties = fields.iter().map(|field| (field.name.to_owned(), property(field)));
    schema.insert("properties".into(), properties.collect::<Map<_, _>>().into());
    schema
}

fn property(field: &Field) -> Value {
    let mut schema = with(of_kind(field.kind), field.says);
    // `null` and absent mean the same.
    if !field.is_required
        && let Some(given) = schema.get("type").cloned()
    {
        schema["type"] = json!([given, "null"]);
    }
    schema
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Id => id(),
        Kind::Name => json!({"type": "string", "minLength": 1}),
        Kind::Text => json!({"type": "string"}),
        Kind::Time => time(),
        Kind::Count => json!({"type": "integer", "minimum": 0, "maximum": MAX_COUNT}),
        Kind::AgentId => json!({"type": "integer", "minimum": -MAX_AGENT_ID, "maximum": MAX_AGENT_ID}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Any => json!({}),
        Kind::Object => json!({"type": "object"}),
        Kind::Fields(fields) => object(fields).into(),
    }
}

/// Of characters, which a schema counts, there are at most as many as bytes.
fn id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES, "pattern": "^[^\\u0000]*$"})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time", "pattern": TIME})
}

fn with(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

/// What `MediaType` takes for JSON, but for [`event_media_type`]: in a regular expression of ECMA-262.
fn json_media_type() -> String {
    let [application, text, json] = ["application", "text", "json"].map(in_either_case);
    format!("^\\s*(?:(?:{application}|{text})/{json}|[^;/\\s][^;/]*/[^;]+\\+{json})\\s*(?:;[\\s\\S]*)?$")
}

/// Events, of which a record holds one, and whose data is none.
fn event_media_type() -> String {
    format!("^\\s*{}", in_either_case("application/cloudevents"))
}

fn in_either_case(text: &str) -> String {
    let letters = text.chars().map(|letter| {
        if letter.is_ascii_lowercase() {
            format!("[{}{letter}]", letter.to_ascii_uppercase())
        } else {
            letter.to_string()
        }
    });
    letters.collect()
}
