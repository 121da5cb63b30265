//! Values that name a schema of a registry: what a program sees of them, and what becomes of those that cannot be decoded.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use recap_mapping::{
    Events, Lookup, MAPPING, Mapping, Record, ReferencedText, Refusal, SCHEMA, SchemaText, SchemaType, Schemas,
};
use serde_json::{Value, json};

const ID: u32 = 70_000;

fn text(schema_type: SchemaType, schema: &str, references: &[(&str, &str)]) -> SchemaText {
    let other = |(name, schema): &(&str, &str)| ReferencedText {
        name: (*name).to_owned(),
        schema: (*schema).to_owned(),
    };
    SchemaText {
        schema_type,
        schema: schema.to_owned(),
        references: references.iter().map(other).collect(),
    }
}

fn schemas(text: &SchemaText) -> Schemas {
    let mut schemas = Schemas::default();
    schemas.insert(ID, Arc::new(Lookup::read(text)));
    schemas
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [&[0], &ID.to_be_bytes()[..], payload].concat()
}

/// What a program's `.` is for a value.
fn seen(value: &[u8], schemas: Option<&Schemas>) -> Result<Value, Refusal> {
    let mapping = Mapping::compile("chat.jq", "{id: \"x\", result: .}").unwrap();
    let record = Record {
        topic: "chat",
        partition: 0,
        offset: 0,
        timestamp: None,
        key: None,
        headers: &[],
        value: Some(value),
        schemas,
    };
    let mut events = Events::default();
    mapping.run(&record, &mut events)?;
    let event: Value = serde_json::from_str(events.iter().next().unwrap()).unwrap();
    Ok(event["result"].clone())
}

fn decoded(schema: &SchemaText, payload: &[u8]) -> Result<Value, String> {
    let seen = seen(&framed(payload), Some(&schemas(schema)));
    seen.map(|seen| seen["value"].clone()).map_err(|refusal| {
        assert_eq!(refusal.reason, SCHEMA);
        refusal.error
    })
}

fn avro(schema: &Value, payload: &[u8]) -> Result<Value, String> {
    decoded(&text(SchemaType::Avro, &schema.to_string(), &[]), payload)
}

fn long(number: i64) -> Vec<u8> {
    // What is left of it fits.
    let byte = |bits: u64| u8::try_from(bits & 0xff).unwrap();
    let mut bits = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    let mut bytes = Vec::new();
    while bits >= 0x80 {
        bytes.push(byte(bits & 0x7f) | 0x80);
        bits >>= 7;
    }
    bytes.push(byte(bits));
    bytes
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [long(i64::try_from(bytes.len()).unwrap()), bytes.to_vec()].concat()
}

#[test]
fn a_program_sees_the_json_and_what_it_was_decoded_by() {
    let schema = text(SchemaType::Json, r#"{"type": "object"}"#, &[]);
    let seen_json = seen(&framed(br#"{"b": 1.50, "a": "x"}"#), Some(&schemas(&schema))).unwrap();
    assert_eq!(seen_json["value"], json!({"b": 1.5, "a": "x"}));
    assert_eq!(seen_json["schema"], json!({"id": ID, "type": "JSON", "name": null}));

    let schema =
        r#"{"type": "record", "name": "Chat", "namespace": "com.acme", "fields": [{"name": "id", "type": "long"}]}"#;
    let seen_avro = seen(
        &framed(&long(-65)),
        Some(&schemas(&text(SchemaType::Avro, schema, &[]))),
    )
    .unwrap();
    assert_eq!(seen_avro["value"], json!({"id": -65}));
    assert_eq!(
        seen_avro["schema"],
        json!({"id": ID, "type": "AVRO", "name": "com.acme.Chat"})
    );

    // Other values are as they are without a registry.
    let plain = seen(b"{\"a\": 1}", Some(&schemas(&text(SchemaType::Avro, schema, &[])))).unwrap();
    assert_eq!((&plain["value"], &plain["schema"]), (&json!({"a": 1}), &Value::Null));
}

#[test]
fn what_cannot_be_decoded_is_refused_with_the_schema_and_why() {
    let refused = |value: &[u8], schemas: &Schemas| {
        let refusal = seen(value, Some(schemas)).unwrap_err();
        assert_eq!(refusal.reason, SCHEMA);
        refusal.error
    };
    let string = schemas(&text(SchemaType::Avro, "\"string\"", &[]));
    assert_eq!(
        refused(&framed(&[6, b'a']), &string),
        "schema 70000 (AVRO): the value is cut off at byte 1 of 2"
    );
    assert_eq!(
        refused(&framed(&[2, b'a', 0]), &string),
        "schema 70000 (AVRO): the value ends at byte 2 of 3"
    );
    assert_eq!(
        refused(&framed(&[2, 0xff]), &string),
        "schema 70000 (AVRO): a string is not UTF-8 at byte 2 of 2"
    );
    let unknown = schemas(&text(SchemaType::Avro, "\"Nobody\"", &[]));
    assert_eq!(
        refused(&framed(&[0]), &unknown),
        "schema 70000 cannot be used: the type \"Nobody\" is not defined"
    );
    let mut missing = Schemas::default();
    missing.insert(ID, Arc::new(Lookup::missing()));
    assert_eq!(refused(&framed(&[0]), &missing), "schema 70000 is not in the registry");
    let json = schemas(&text(SchemaType::Json, "{}", &[]));
    assert!(refused(&framed(b"{\"a\": "), &json).starts_with("schema 70000 (JSON): the value is no JSON"));
}

#[test]
fn without_a_registry_a_mapping_that_fails_says_what_may_be_missing() {
    let mapping = Mapping::compile("chat.jq", "{id: .value.chat}").unwrap();
    let record = Record {
        topic: "chat",
        partition: 0,
        offset: 0,
        timestamp: None,
        key: None,
        headers: &[],
        value: Some(&framed(b"\x02")),
        schemas: None,
    };
    let refusal = mapping.run(&record, &mut Events::default()).unwrap_err();
    assert_eq!(refusal.reason, MAPPING);
    assert!(refusal.error.contains("schema 70000"), "{}", refusal.error);
    assert!(refusal.error.contains("RECAP_SCHEMA_REGISTRY_URL"), "{}", refusal.error);
}

#[test]
fn logical_types_are_texts_where_json_has_no_such_thing() {
    let of = |base: Value, name: &str, payload: &[u8]| {
        let mut schema = if base.is_object() { base } else { json!({"type": base}) };
        schema["logicalType"] = json!(name);
        avro(&schema, payload).unwrap()
    };
    let fixed = |size: u32| json!({"type": "fixed", "name": "F", "size": size});
    let decimal = |scale: u32| json!({"type": "bytes", "precision": 9, "scale": scale});
    let morning = 1_767_607_200_123_i64;
    for (value, wanted) in [
        (of(decimal(2), "decimal", &sized(&[0x04, 0xd2])), json!("12.34")),
        (of(decimal(2), "decimal", &sized(&[0xff])), json!("-0.01")),
        (of(decimal(0), "decimal", &sized(&[0x80])), json!("-128")),
        (of(decimal(3), "decimal", &sized(&[])), json!("0.000")),
        (
            of(decimal(1), "decimal", &sized(&[0x7f; 16])),
            json!("16947396313317327396019049076013554060.7"),
        ),
        (of(json!("int"), "date", &long(20_458)), json!("2026-01-05")),
        (of(json!("int"), "time-millis", &long(3_661_001)), json!("01:01:01.001")),
        (of(json!("long"), "time-micros", &long(1)), json!("00:00:00.000001")),
        (
            of(json!("long"), "timestamp-millis", &long(morning)),
            json!("2026-01-05T10:00:00.123Z"),
        ),
        (
            of(json!("long"), "timestamp-micros", &long(-1)),
            json!("1969-12-31T23:59:59.999999Z"),
        ),
        (
            of(json!("long"), "timestamp-nanos", &long(1)),
            json!("1970-01-01T00:00:00.000000001Z"),
        ),
        (
            of(json!("long"), "local-timestamp-millis", &long(morning)),
            json!("2026-01-05T10:00:00.123"),
        ),
        // No text could say it.
        (of(json!("long"), "timestamp-millis", &long(i64::MAX)), json!(i64::MAX)),
        (
            of(fixed(12), "duration", &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]),
            json!({"months": 1, "days": 2, "millis": 3}),
        ),
        (
            of(fixed(16), "uuid", &[0x11; 16]),
            json!("11111111-1111-1111-1111-111111111111"),
        ),
        // One that does not fit its type does not count, nor does one that nobody knows.
        (of(json!("string"), "date", &sized(b"x")), json!("x")),
        (of(json!("int"), "era", &long(7)), json!(7)),
        (avro(&json!("bytes"), &sized(&[0xff, 0x00])).unwrap(), json!("/wA=")),
        (avro(&json!("double"), &f64::NAN.to_le_bytes()).unwrap(), json!("NaN")),
        (avro(&json!("float"), &0.1_f32.to_le_bytes()).unwrap(), json!(0.1)),
    ] {
        assert_eq!(value, wanted);
    }
}

#[test]
fn names_are_resolved_in_their_namespaces_and_in_the_schemas_referred_to() {
    let author = r#"{"type": "record", "name": "Author", "namespace": "com.acme", "fields": [{"name": "name", "type": "string"}]}"#;
    let schema = r#"{"type": "record", "name": "com.acme.Talk", "fields": [
        {"name": "author", "type": "Author"},
        {"name": "again", "type": ["null", "com.acme.Author"]},
        {"name": "next", "type": ["null", "Talk"]},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "namespace": "other", "symbols": ["A", "B"]}},
        {"name": "same", "type": "other.Kind"}
    ]}"#;
    let schema = text(SchemaType::Avro, schema, &[("com.acme.Author", author)]);
    let inner = [sized(b"b"), vec![0, 0, 2, 0]].concat();
    let payload = [sized(b"a"), vec![2], sized(b"c"), vec![2], inner, vec![0, 2]].concat();
    let talk = json!({
        "author": {"name": "a"}, "again": {"name": "c"},
        "next": {"author": {"name": "b"}, "again": null, "next": null, "kind": "B", "same": "A"},
        "kind": "A", "same": "B",
    });
    assert_eq!(decoded(&schema, &payload).unwrap(), talk);
}

#[test]
fn protobuf_is_its_own_json_and_the_indexes_say_which_message() {
    let common = r#"syntax = "proto3"; package acme; message Author { string display_name = 1; int64 id = 2; }"#;
    let schema = r#"syntax = "proto3"; package acme; import "acme/common.proto"; import "google/protobuf/timestamp.proto";
        message First { string text = 1; }
        message Second { message Inner { Author author = 1; google.protobuf.Timestamp at = 2; bytes raw = 3; } }"#;
    let schema = text(SchemaType::Protobuf, schema, &[("acme/common.proto", common)]);
    assert_eq!(decoded(&schema, b"\x00\x0a\x02hi").unwrap(), json!({"text": "hi"}));
    // Two indexes: the second message, and its first.
    let inner = b"\x04\x02\x00\x0a\x05\x0a\x01a\x10\x07\x12\x02\x08\x01\x1a\x01\xff";
    let seen = seen(&framed(inner), Some(&schemas(&schema))).unwrap();
    let wanted = json!({"author": {"displayName": "a", "id": "7"}, "at": "1970-01-01T00:00:01Z", "raw": "/w=="});
    assert_eq!(seen["value"], wanted);
    assert_eq!(seen["schema"]["name"], "acme.Second.Inner");
    assert!(
        decoded(&schema, b"\x02\x08")
            .unwrap_err()
            .contains("a message that the schema does not have")
    );
    assert!(
        decoded(&schema, b"\x00\x0a\x05hi")
            .unwrap_err()
            .contains("the value is no acme.First")
    );
    let broken = text(SchemaType::Protobuf, "message {", &[]);
    assert!(decoded(&broken, b"\x00").unwrap_err().contains("cannot be used"));
}

#[test]
fn a_value_without_end_is_refused_whatever_it_claims() {
    let nulls = json!({"type": "array", "items": "null"});
    let endless = avro(&nulls, &long(i64::MAX)).unwrap_err();
    assert!(endless.contains("far larger as JSON"), "{endless}");
    let least = avro(&nulls, &[long(i64::MIN), vec![0]].concat()).unwrap_err();
    assert!(least.contains("far larger as JSON"), "{least}");
    let chain = json!({"type": "record", "name": "Chain", "fields": [{"name": "next", "type": ["null", "Chain"]}]});
    let deep = avro(&chain, &vec![2; 1_000_000]).unwrap_err();
    assert!(deep.contains("nested too deeply"), "{deep}");
    let itself = json!({"type": "record", "name": "Self", "fields": [{"name": "self", "type": "Self"}]});
    assert!(avro(&itself, &[]).unwrap_err().contains("nested too deeply"));
}

/// A schema, a value by it, and the same value as JSON.
#[derive(Debug, Clone)]
struct Sample {
    schema: Value,
    bytes: Vec<u8>,
    json: Value,
}

/// As the test's own reader reads it, which is not to the last bit.
fn written(double: f64) -> Value {
    serde_json::from_str(&format!("{double:?}")).unwrap()
}

fn sample() -> impl Strategy<Value = Sample> {
    let sample = |schema: &str, bytes: Vec<u8>, json: Value| Sample {
        schema: json!(schema),
        bytes,
        json,
    };
    let leaf = prop_oneof![
        Just(sample("null", Vec::new(), Value::Null)),
        any::<bool>().prop_map(move |bool| sample("boolean", vec![u8::from(bool)], json!(bool))),
        any::<i32>().prop_map(move |int| sample("int", long(int.into()), json!(int))),
        any::<i64>().prop_map(move |number| sample("long", long(number), json!(number))),
        any::<String>().prop_map(move |text| sample("string", sized(text.as_bytes()), json!(text))),
        proptest::num::f64::NORMAL.prop_map(move |double| sample(
            "double",
            double.to_le_bytes().to_vec(),
            written(double)
        )),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|fields| record(&fields)),
            (inner.clone(), vec(any::<bool>(), 0..4)).prop_map(array),
            (inner.clone(), any::<String>()).prop_map(map),
            (inner, any::<bool>()).prop_map(optional),
        ]
    })
}

fn record(fields: &[Sample]) -> Sample {
    // Names of types that are told apart by their content.
    let name = format!(
        "R{:x}",
        fields.iter().fold(7_u64, |hash, field| {
            field
                .schema
                .to_string()
                .bytes()
                .fold(hash, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
        })
    );
    let schema = fields
        .iter()
        .enumerate()
        .map(|(at, field)| json!({"name": format!("f{at}"), "type": field.schema}));
    Sample {
        schema: json!({"type": "record", "name": name, "fields": schema.collect::<Value>()}),
        bytes: fields.iter().flat_map(|field| field.bytes.clone()).collect(),
        json: fields
            .iter()
            .enumerate()
            .map(|(at, field)| (format!("f{at}"), field.json.clone()))
            .collect(),
    }
}

/// So many times the same item, some in blocks that say their size.
fn array((item, blocks): (Sample, Vec<bool>)) -> Sample {
    let block = |has_size: &bool| {
        let size = long(i64::try_from(item.bytes.len()).unwrap());
        let head = if *has_size { [long(-1), size].concat() } else { long(1) };
        [head, item.bytes.clone()].concat()
    };
    Sample {
        schema: json!({"type": "array", "items": item.schema}),
        bytes: blocks.iter().flat_map(block).chain([0]).collect(),
        json: blocks.iter().map(|_| item.json.clone()).collect(),
    }
}

fn map((value, key): (Sample, String)) -> Sample {
    Sample {
        schema: json!({"type": "map", "values": value.schema}),
        bytes: [long(1), sized(key.as_bytes()), value.bytes, vec![0]].concat(),
        json: json!({key: value.json}),
    }
}

fn optional((value, is_there): (Sample, bool)) -> Sample {
    let schema = json!([{"type": "enum", "name": "None", "symbols": ["none"]}, value.schema]);
    let (bytes, json) = if is_there {
        ([vec![2], value.bytes].concat(), value.json)
    } else {
        (vec![0, 0], json!("none"))
    };
    Sample { schema, bytes, json }
}

proptest! {
    #[test]
    fn avro_decodes_to_the_value_that_was_encoded(sample in sample()) {
        prop_assert_eq!(avro(&sample.schema, &sample.bytes), Ok(sample.json));
    }

    /// Nothing that is cut off, or goes on, is taken for a value.
    #[test]
    fn a_value_is_all_of_its_bytes(sample in sample(), cut in any::<prop::sample::Index>(), more in vec(any::<u8>(), 1..4)) {
        let longer = [sample.bytes.clone(), more].concat();
        prop_assert!(avro(&sample.schema, &longer).is_err());
        if !sample.bytes.is_empty() {
            prop_assert!(avro(&sample.schema, &sample.bytes[..cut.index(sample.bytes.len())]).is_err());
        }
    }

    #[test]
    fn any_bytes_end_as_a_value_or_a_refusal(sample in sample(), bytes in vec(any::<u8>(), 0..200)) {
        let first = avro(&sample.schema, &bytes);
        prop_assert_eq!(first, avro(&sample.schema, &bytes));
    }

    #[test]
    fn any_bytes_are_a_message_or_a_refusal(bytes in vec(any::<u8>(), 0..200)) {
        let schema = text(SchemaType::Protobuf, "syntax = \"proto3\"; message A { repeated A a = 1; map<string, A> b = 2; oneof c { double d = 3; bytes e = 4; } }", &[]);
        let _either = decoded(&schema, &bytes);
    }
}
