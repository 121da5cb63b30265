//! OTLP's Protobuf as the JSON that the Collector writes of it: ids in hexadecimal digits, 64 bits as text, nothing that has its default.
//!
//! The lists that hold spans are taken apart here and each span is decoded by itself, so that a record of many empty ones needs no more memory than its budget.

use std::{fmt::Write as _, rc::Rc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{Span, Status, span},
};
use prost::{DecodeError, Message};

use crate::{
    budget,
    value::{Array, Number, Object, Value},
};

#[derive(Clone, PartialEq, Message)]
struct Traces {
    #[prost(bytes = "vec", repeated, tag = "1")]
    resource_spans: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    scope_spans: Vec<Vec<u8>>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<InstrumentationScope>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    spans: Vec<Vec<u8>>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

pub(super) fn traces(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut members = Members::default();
    members.list_of("resourceSpans", &Traces::decode(bytes)?.resource_spans, resource_spans)?;
    Ok(members.end())
}

fn resource_spans(bytes: &[u8]) -> Result<Value, DecodeError> {
    let read = ResourceSpans::decode(bytes)?;
    let mut resource = Members::default();
    if let Some(read) = read.resource {
        resource.attributes(&read.attributes, read.dropped_attributes_count);
    }
    let mut members = Members::default();
    members.set("resource", resource.end());
    members.list_of("scopeSpans", &read.scope_spans, scope_spans)?;
    members.text("schemaUrl", &read.schema_url);
    Ok(members.end())
}

fn scope_spans(bytes: &[u8]) -> Result<Value, DecodeError> {
    let read = ScopeSpans::decode(bytes)?;
    let mut scope = Members::default();
    if let Some(read) = read.scope {
        scope.text("name", &read.name);
        scope.text("version", &read.version);
        scope.attributes(&read.attributes, read.dropped_attributes_count);
    }
    let mut members = Members::default();
    members.set("scope", scope.end());
    members.list_of("spans", &read.spans, |bytes| {
        Span::decode(bytes).map(|span| of_span(&span))
    })?;
    members.text("schemaUrl", &read.schema_url);
    Ok(members.end())
}

fn of_span(span: &Span) -> Value {
    let mut members = Members::default();
    members.id("traceId", &span.trace_id);
    members.id("spanId", &span.span_id);
    members.text("traceState", &span.trace_state);
    members.id("parentSpanId", &span.parent_span_id);
    members.number("flags", span.flags);
    members.text("name", &span.name);
    members.number("kind", span.kind);
    members.nanos("startTimeUnixNano", span.start_time_unix_nano);
    members.nanos("endTimeUnixNano", span.end_time_unix_nano);
    members.attributes(&span.attributes, span.dropped_attributes_count);
    members.list("events", &span.events, event);
    members.number("droppedEventsCount", span.dropped_events_count);
    members.list("links", &span.links, link);
    members.number("droppedLinksCount", span.dropped_links_count);
    members.set("status", status(span.status.as_ref()));
    members.end()
}

fn status(status: Option<&Status>) -> Value {
    let mut members = Members::default();
    if let Some(status) = status {
        members.text("message", &status.message);
        members.number("code", status.code);
    }
    members.end()
}

fn event(event: &span::Event) -> Value {
    let mut members = Members::default();
    members.nanos("timeUnixNano", event.time_unix_nano);
    members.text("name", &event.name);
    members.attributes(&event.attributes, event.dropped_attributes_count);
    members.end()
}

fn link(link: &span::Link) -> Value {
    let mut members = Members::default();
    members.id("traceId", &link.trace_id);
    members.id("spanId", &link.span_id);
    members.text("traceState", &link.trace_state);
    members.attributes(&link.attributes, link.dropped_attributes_count);
    members.number("flags", link.flags);
    members.end()
}

fn attribute(attribute: &KeyValue) -> Value {
    let mut members = Members::default();
    members.text("key", &attribute.key);
    members.set("value", any(attribute.value.as_ref()));
    members.end()
}

fn any(value: Option<&AnyValue>) -> Value {
    use any_value::Value as Kind;
    let mut members = Members::default();
    match value.and_then(|any| any.value.as_ref()) {
        None => {}
        Some(Kind::StringValue(text)) => members.set("stringValue", Value::string(text)),
        Some(Kind::BoolValue(bool)) => members.set("boolValue", Value::Bool(*bool)),
        Some(Kind::IntValue(int)) => members.set("intValue", Value::string(&int.to_string())),
        Some(Kind::DoubleValue(double)) => members.set("doubleValue", float(*double)),
        Some(Kind::BytesValue(bytes)) => members.set("bytesValue", Value::string(&STANDARD.encode(bytes))),
        Some(Kind::StringValueStrindex(index)) => members.set("stringValueStrindex", int(*index)),
        Some(Kind::ArrayValue(array)) => {
            let mut list = Members::default();
            list.list("values", &array.values, |value| any(Some(value)));
            members.set("arrayValue", list.end());
        }
        Some(Kind::KvlistValue(pairs)) => {
            let mut list = Members::default();
            list.list("values", &pairs.values, attribute);
            members.set("kvlistValue", list.end());
        }
    }
    members.end()
}

fn int(int: impl Into<i64>) -> Value {
    Value::Number(Number::Int(int.into()))
}

fn float(float: f64) -> Value {
    match float {
        _ if float.is_nan() => Value::string("NaN"),
        f64::INFINITY => Value::string("Infinity"),
        f64::NEG_INFINITY => Value::string("-Infinity"),
        _ => Value::Number(Number::Float(float)),
    }
}

/// The members of an object; those that have their default are left out.
#[derive(Default)]
struct Members(Object);

impl Members {
    fn set(&mut self, name: &str, value: Value) {
        budget::allocate(name.len());
        self.0.insert(Rc::from(name), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.set(name, Value::string(text));
        }
    }

    fn number(&mut self, name: &str, number: impl Into<i64>) {
        let number = number.into();
        if number != 0 {
            self.set(name, int(number));
        }
    }

    fn nanos(&mut self, name: &str, nanos: u64) {
        if nanos != 0 {
            self.set(name, Value::string(&nanos.to_string()));
        }
    }

    fn id(&mut self, name: &str, bytes: &[u8]) {
        if bytes.iter().any(|byte| *byte != 0) {
            let mut digits = String::with_capacity(2 * bytes.len());
            for byte in bytes {
                // A string takes everything.
                let _infallible = write!(digits, "{byte:02x}");
            }
            self.set(name, Value::string(&digits));
        }
    }

    fn attributes(&mut self, attributes: &[KeyValue], dropped: u32) {
        self.list("attributes", attributes, attribute);
        self.number("droppedAttributesCount", dropped);
    }

    fn list<T>(&mut self, name: &str, items: &[T], value: impl FnMut(&T) -> Value) {
        if !items.is_empty() {
            self.set(name, Value::array(items.iter().map(value).collect::<Array>()));
        }
    }

    /// A list of messages that are decoded one by one.
    fn list_of(
        &mut self,
        name: &str,
        messages: &[Vec<u8>],
        value: impl FnMut(&[u8]) -> Result<Value, DecodeError>,
    ) -> Result<(), DecodeError> {
        if !messages.is_empty() {
            let messages = messages.iter().map(Vec::as_slice);
            let items: Result<Array, DecodeError> = messages.map(value).collect();
            self.set(name, Value::array(items?));
        }
        Ok(())
    }

    fn end(self) -> Value {
        Value::object(self.0)
    }
}
