//! Traces in both encodings of OTLP: as a Collector wrote them, of every kind of value, and what no Collector writes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::{fs, path::Path};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Kind},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span},
};
use prost::Message as _;
use recap_mapping::{Events, Mapped, Mapping, Record, examples::OwnedRecord};
use serde_json::{Value, json};

const MAPPINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/mappings");

fn record(value: &[u8]) -> Record<'_> {
    Record {
        topic: "otlp_spans",
        partition: 0,
        offset: 0,
        timestamp: Some(1_767_607_200_000),
        key: None,
        headers: &[],
        value: Some(value),
        schemas: None,
    }
}

/// What an expression makes of a record.
fn result(expression: &str, value: &[u8]) -> Result<Value, String> {
    let mapping = Mapping::compile("spans.jq", &format!("{{id: \"x\", result: ({expression})}}")).unwrap();
    let mut events = Events::default();
    mapping
        .run(&record(value), &mut events)
        .map_err(|refusal| refusal.error)?;
    let event: Value = serde_json::from_str(events.iter().next().unwrap()).unwrap();
    Ok(event["result"].clone())
}

fn recorded(encoding: &str) -> Vec<OwnedRecord> {
    let path = format!("opentelemetry.examples/{encoding}.records.ndjson");
    OwnedRecord::read_lines(&fs::read_to_string(Path::new(MAPPINGS).join(path)).unwrap()).unwrap()
}

fn values(records: &[OwnedRecord]) -> impl Iterator<Item = &[u8]> {
    records.iter().map(|record| record.value.as_deref().unwrap())
}

fn the_mapping() -> Mapping {
    let program = fs::read_to_string(Path::new(MAPPINGS).join("opentelemetry.jq")).unwrap();
    Mapping::compile("opentelemetry.jq", &program).unwrap()
}

#[test]
fn a_collectors_protobuf_reads_as_its_json() {
    let (as_json, as_protobuf) = (recorded("json"), recorded("proto"));
    assert!(!as_json.is_empty() && as_json.len() == as_protobuf.len());
    for (json, protobuf) in values(&as_json).zip(values(&as_protobuf)) {
        let wanted: Value = serde_json::from_slice(json).unwrap();
        assert_eq!(result("otlp_traces", protobuf).unwrap(), wanted);
        assert_eq!(result("otlp_traces", json).unwrap(), wanted);
    }
}

#[test]
fn either_encoding_makes_the_same_events() {
    let mapping = the_mapping();
    let (as_json, as_protobuf) = (recorded("json"), recorded("proto"));
    let mut events = 0;
    for (json, protobuf) in values(&as_json).zip(values(&as_protobuf)) {
        let (mut one, mut other) = (Events::default(), Events::default());
        mapping.run(&record(json), &mut one).unwrap();
        mapping.run(&record(protobuf), &mut other).unwrap();
        assert_eq!(one.to_string(), other.to_string());
        events += one.len();
    }
    assert!(events >= 40, "{events} events");
}

fn any(kind: Kind) -> AnyValue {
    AnyValue { value: Some(kind) }
}

fn pair(key: &str, value: Option<Kind>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: value.map(any),
        ..KeyValue::default()
    }
}

/// An attribute of every kind, and what it stands for.
fn every_kind() -> (Vec<KeyValue>, Value) {
    let list = ArrayValue {
        values: vec![any(Kind::IntValue(1)), any(Kind::StringValue("b".to_owned()))],
    };
    let pairs = KeyValueList {
        values: vec![pair("inner", Some(Kind::DoubleValue(0.5)))],
    };
    let attributes = vec![
        pair("text", Some(Kind::StringValue("é".to_owned()))),
        pair("bool", Some(Kind::BoolValue(false))),
        pair("int", Some(Kind::IntValue(i64::MIN))),
        pair("double", Some(Kind::DoubleValue(-1.25))),
        pair("nan", Some(Kind::DoubleValue(f64::NAN))),
        pair("bytes", Some(Kind::BytesValue(vec![0xff, 0xfe]))),
        pair("list", Some(Kind::ArrayValue(list))),
        pair("pairs", Some(Kind::KvlistValue(pairs))),
        pair("empty list", Some(Kind::ArrayValue(ArrayValue::default()))),
        pair("nothing", None),
        pair("text", Some(Kind::StringValue("the last counts".to_owned()))),
    ];
    let plain = json!({
        "text": "the last counts", "bool": false, "int": i64::MIN, "double": -1.25, "nan": "NaN", "bytes": "//4=",
        "list": [1, "b"], "pairs": {"inner": 0.5}, "empty list": [], "nothing": null,
    });
    (attributes, plain)
}

fn traces(spans: Vec<Span>) -> Vec<u8> {
    let data = TracesData {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource::default()),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "lib".to_owned(),
                    version: "1".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                schema_url: "https://example.com/1".to_owned(),
            }],
            schema_url: String::new(),
        }],
    };
    data.encode_to_vec()
}

#[test]
fn every_field_of_a_span_is_read_as_protobuf_s_json_has_it() {
    let (attributes, plain) = every_kind();
    let span = Span {
        trace_id: (0..16).collect(),
        span_id: vec![0xab; 8],
        parent_span_id: vec![0; 8],
        trace_state: "a=b".to_owned(),
        flags: 257,
        name: "chat".to_owned(),
        kind: 3,
        start_time_unix_nano: u64::MAX,
        end_time_unix_nano: 5,
        attributes,
        dropped_attributes_count: 1,
        events: vec![span::Event {
            time_unix_nano: 7,
            name: "exception".to_owned(),
            ..span::Event::default()
        }],
        dropped_events_count: 2,
        links: vec![span::Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            flags: 1,
            ..span::Link::default()
        }],
        dropped_links_count: 3,
        status: Some(Status {
            message: "failed".to_owned(),
            code: 2,
        }),
    };
    let read = result("otlp_traces", &traces(vec![span])).unwrap();
    let scope = &read["resourceSpans"][0]["scopeSpans"][0];
    assert_eq!(read["resourceSpans"][0]["resource"], json!({}));
    assert_eq!(scope["scope"], json!({"name": "lib", "version": "1"}));
    assert_eq!(scope["schemaUrl"], json!("https://example.com/1"));
    let mut span = scope["spans"][0].clone();
    let kinds = span["attributes"].take();
    let wanted = json!({
        "traceId": "000102030405060708090a0b0c0d0e0f", "spanId": "abababababababab", "traceState": "a=b", "flags": 257, "name": "chat", "kind": 3,
        "startTimeUnixNano": "18446744073709551615", "endTimeUnixNano": "5", "attributes": null, "droppedAttributesCount": 1,
        "events": [{"timeUnixNano": "7", "name": "exception"}], "droppedEventsCount": 2,
        "links": [{"traceId": "01".repeat(16), "spanId": "02".repeat(8), "flags": 1}], "droppedLinksCount": 3,
        "status": {"message": "failed", "code": 2},
    });
    assert_eq!(span, wanted);
    let attributes = result(".value | otlp_attributes", kinds.to_string().as_bytes()).unwrap();
    assert_eq!(attributes, plain);
}

#[test]
fn what_is_no_trace_is_refused_with_what_it_is_instead() {
    for (value, wanted) in [
        (&b"[1]"[..], "the value is JSON, but not OTLP's"),
        (b"\x0a\xff\xff\xff\xff\x0f", "neither OTLP's JSON nor its Protobuf"),
        (b"some text", "neither OTLP's JSON nor its Protobuf"),
    ] {
        let said = result("otlp_traces", value).unwrap_err();
        assert!(said.contains(wanted), "{said}");
    }
    assert_eq!(result("null | otlp_attributes", b"{}"), Ok(json!({})));
}

/// Protobuf of two bytes a span is a hundred times as much in memory.
#[test]
fn a_record_of_nothing_but_empty_spans_ends_by_its_budget() {
    let spans = traces(vec![Span::default(); 500_000]);
    assert!(spans.len() > 1_000_000);
    let said = result("otlp_traces | null", &spans).unwrap_err();
    assert!(said.contains("a record of this size may"), "{said}");
}

/// The recorded spans, and as many more that are of no model or agent, until the record is as large as a Collector makes it.
fn large(genai: bool) -> TracesData {
    let recorded = recorded("proto");
    let batch = values(&recorded).max_by_key(|value| value.len()).unwrap();
    let batch = TracesData::decode(batch).unwrap();
    let mut all = TracesData::default();
    for number in 0_u32.. {
        let mut more = batch.clone();
        let scopes = more
            .resource_spans
            .iter_mut()
            .flat_map(|resource| &mut resource.scope_spans);
        for span in scopes.flat_map(|scope| &mut scope.spans) {
            span.trace_id[..4].copy_from_slice(&number.to_be_bytes());
            if !genai {
                span.attributes.retain(|attribute| attribute.key.starts_with("server."));
            }
        }
        if all.encoded_len() + more.encoded_len() > 1_000_000 {
            break;
        }
        all.resource_spans.extend(more.resource_spans);
    }
    all
}

#[test]
fn the_largest_batch_of_a_collector_is_within_the_budget() {
    let mapping = the_mapping();
    for genai in [true, false] {
        let protobuf = large(genai).encode_to_vec();
        let json = result("otlp_traces", &protobuf).unwrap().to_string();
        for value in [&protobuf[..], json.as_bytes()] {
            let mut events = Events::default();
            let Mapped::Events { events, .. } = mapping.read(&record(value), None, &mut events) else {
                panic!("{} bytes are too much", value.len());
            };
            assert_eq!(!events.is_empty(), genai, "{} bytes", value.len());
        }
    }
}
