//! The decoder and the schemas agree on everything that a schema can say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../round_trip/events.rs"]
mod events;
mod mutation;
#[path = "../round_trip/spelling.rs"]
mod spelling;

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use boon::{Compiler, SchemaIndex, Schemas};
use events::event;
use mutation::{Mutation, mutations};
use proptest::prelude::*;
use recap_events::{
    Decoded, EventType, Invalid, Reason, decode,
    schema::{data_schema, document, document_of_all},
};
use serde_json::{Value, json};
use spelling::spelling;

const GOLDEN: &str = include_str!("../golden/events.ndjson");

static OF_ALL: LazyLock<Validator> = LazyLock::new(|| validator(&document_of_all()));
static OF_TYPE: LazyLock<BTreeMap<EventType, (Validator, Validator)>> = LazyLock::new(|| {
    let both = |event_type| (validator(&document(event_type)), validator(&data_schema(event_type)));
    EventType::ALL.map(|event_type| (event_type, both(event_type))).into()
});

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn validate(&self, instance: &Value) -> Result<(), String> {
        let validated = self.schemas.validate(instance, self.index);
        validated.map_err(|error| format!("{error:#}"))
    }

    fn is_valid(&self, instance: &Value) -> bool {
        self.validate(instance).is_ok()
    }
}

fn validator(schema: &Value) -> Validator {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("schema.json", schema.clone()).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    Validator { schemas, index }
}

fn structured(event: &Value) -> Result<EventType, Option<Invalid>> {
    let text = event.to_string();
    result(decode(Some(text.as_bytes()), std::iter::empty(), None))
}

fn binary(event_type: EventType, data: &Value) -> Result<EventType, Option<Invalid>> {
    let text = data.to_string();
    let headers = [
        ("ce_id", "1"),
        ("ce_type", event_type.as_str()),
        ("ce_time", "2026-01-05T10:00:00Z"),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name, Some(value.as_bytes())));
    result(decode(Some(text.as_bytes()), headers, None))
}

/// The type of an event, or why it is none; nothing is said of one that is skipped.
fn result(decoded: Decoded<'_>) -> Result<EventType, Option<Invalid>> {
    match decoded {
        Decoded::Event(event) => Ok(event.event_type()),
        Decoded::Skipped(_) => Err(None),
        Decoded::Invalid(invalid) => Err(Some(invalid)),
    }
}

/// An event with every field, and none that is not of the contract.
fn plain(event_type: EventType) -> Value {
    let of_kind = |schema: &Value| match schema["type"]
        .as_array()
        .map_or(&schema["type"], |types| &types[0])
        .as_str()
    {
        Some("string") if schema["format"] == "date-time" => json!("2026-01-05T10:00:00Z"),
        Some("string") => json!("text"),
        Some("integer") => json!(7),
        Some("boolean") => json!(true),
        _ => json!({}),
    };
    let schema = data_schema(event_type);
    let fields = schema["properties"].as_object().unwrap();
    let data: serde_json::Map<_, _> = fields
        .iter()
        .map(|(name, schema)| (name.clone(), of_kind(schema)))
        .collect();
    json!({"specversion": "1.0", "id": "1", "source": "/chat", "type": event_type.as_str(), "time": "2026-01-05T10:00:00Z", "data": data})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_event_fits_however_it_is_written(event in event(), spelling in spelling()) {
        // Numbers that no double holds are nothing that a validator could be given.
        let Ok(instance) = serde_json::from_str::<Value>(&spelling.event(&event)) else {
            return Ok(());
        };
        let event_type = event.event_type();
        let (whole, data) = &OF_TYPE[&event_type];
        prop_assert!(whole.is_valid(&instance), "{instance}: {:?}", whole.validate(&instance));
        prop_assert!(data.is_valid(&instance["data"]) && OF_ALL.is_valid(&instance), "{instance}");
        let schema = data_schema(event_type);
        for name in instance["data"].as_object().unwrap().keys().filter(|name| *name != "_") {
            prop_assert!(schema["properties"][name].is_object(), "{event_type} lacks {name}");
        }
    }

    #[test]
    fn a_changed_event_fits_exactly_if_it_is_decoded(
        event_type in proptest::sample::select(EventType::ALL.to_vec()),
        mutations in mutations(),
    ) {
        let mut event = plain(event_type);
        for mutation in &mutations {
            mutation.apply(&mut event);
        }
        let decoded = structured(&event);
        prop_assert_eq!(decoded.is_ok(), OF_ALL.is_valid(&event), "{}: {:?}", event, decoded);
        let (whole, data) = &OF_TYPE[&event_type];
        prop_assert_eq!(decoded == Ok(event_type), whole.is_valid(&event), "{}: {:?}", event, decoded);
        if let Some(value) = event.get("data") {
            let decoded = binary(event_type, value);
            prop_assert_eq!(decoded.is_ok(), data.is_valid(value), "{}: {:?}", value, decoded);
        }
    }

    #[test]
    fn a_time_that_is_read_fits(
        text in "(19[67][0-9]|20[0-9]{2}|9999)-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,9})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])?",
    ) {
        let mut event = plain(EventType::ConversationDeleted);
        event["time"] = text.into();
        match structured(&event) {
            Ok(_) => prop_assert!(OF_ALL.is_valid(&event), "{event}"),
            Err(invalid) => prop_assert_eq!(invalid.unwrap().reason, Reason::BadTime),
        }
    }
}

#[test]
fn a_plain_event_and_its_data_in_base64_fit() {
    for event_type in EventType::ALL {
        let mut event = plain(event_type);
        assert_eq!(structured(&event), Ok(event_type), "{event}");
        assert!(OF_ALL.is_valid(&event), "{event}");
        let data = event["data"].take().to_string();
        event["data_base64"] = BASE64_STANDARD.encode(data).into();
        assert_eq!(structured(&event), Ok(event_type), "{event}");
        assert!(
            OF_ALL.is_valid(&event) && OF_TYPE[&event_type].0.is_valid(&event),
            "{event}"
        );
    }
}

#[test]
fn the_golden_events_fit_but_for_the_unknown_type() {
    let events = GOLDEN.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let unfit: Vec<Value> = events.filter(|event| !OF_ALL.is_valid(event)).collect();
    assert_eq!(unfit.len(), 1, "{unfit:?}");
    assert_eq!(structured(&unfit[0]), Err(None));
}

/// So the decoder knows each field of the table.
#[test]
fn a_mistyped_field_is_refused_by_its_name() {
    for event_type in EventType::ALL {
        let schema = data_schema(event_type);
        for (name, _) in schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, schema)| schema["type"] != Value::Null)
        {
            let mut event = plain(event_type);
            event["data"][name] = json!([]);
            let refused = structured(&event).unwrap_err().unwrap();
            assert!(refused.detail.contains(&format!("`{name}`")), "{event_type}: {refused}");
            assert!(!OF_ALL.is_valid(&event), "{event}");
        }
    }
}

/// All that only the decoder refuses.
#[test]
fn what_a_schema_cannot_say() {
    let set = |pointer: &'static str, value: Value| {
        let mut event = plain(EventType::ConversationUpserted);
        Mutation::set(pointer, value).apply(&mut event);
        event
    };
    let base64 = |text: &str| {
        let mut event = set("/data", Value::Null);
        event["data_base64"] = text.into();
        event
    };
    for (event, reason) in [
        (set("/id", "é".repeat(128).into()), Reason::BadId),
        (set("/data/orgId", "é".repeat(128).into()), Reason::BadId),
        (set("/time", json!("2026-02-30T10:00:00Z")), Reason::BadTime),
        (set("/time", json!("2026-01-05T10:00:60Z")), Reason::BadTime),
        (
            set("/data/createdAt", json!("9999-12-31T23:30:00-01:00")),
            Reason::BadTime,
        ),
        (set("/data/createdAt", json!("1969-12-31T23:30:00Z")), Reason::BadTime),
        (base64("?"), Reason::NotBase64),
        (base64("e30="), Reason::MissingField),
    ] {
        assert_eq!(structured(&event).unwrap_err().unwrap().reason, reason, "{event}");
        assert!(OF_ALL.is_valid(&event), "{event}");
    }
}
