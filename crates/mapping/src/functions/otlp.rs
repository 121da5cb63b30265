//! Functions of OTLP, the protocol that OpenTelemetry's Collector publishes: spans from either of its encodings, attributes as an object.

mod protobuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jaq_core::{
    Error, ValR,
    native::{bome, v},
};

use super::Function;
use crate::{
    budget,
    value::{Array, Number, Object, Value},
};

pub(super) fn functions() -> Box<[Function]> {
    Box::new([
        ("otlp_traces", v(0), |cv| bome(traces(&cv.1))),
        ("otlp_attributes", v(0), |cv| bome(attributes(&cv.1))),
    ])
}

/// The traces of a record in OTLP's JSON encoding, in which they are or from Protobuf.
fn traces(record: &Value) -> ValR<Value> {
    let member = |name| record.as_object().and_then(|record| record.get(name));
    let Some(value) = member("value") else {
        return Err(Error::str("`otlp_traces` takes the record, as `.` is at first"));
    };
    let protobuf = |bytes: &[u8]| {
        budget::work(bytes.len());
        protobuf::traces(bytes).map_err(|_| Error::str("the value is neither OTLP's JSON nor its Protobuf"))
    };
    match (member("encoding").and_then(Value::as_str), value) {
        (None, Value::Object(_)) => Ok(value.clone()),
        (Some("text"), Value::String(text)) => protobuf(text.as_bytes()),
        (Some("base64"), Value::String(text)) => {
            budget::copy(text.len());
            protobuf(&STANDARD.decode(&**text).unwrap_or_default())
        }
        _ => Err(Error::str("the value is JSON, but not OTLP's")),
    }
}

/// A list of attributes as an object of plain values; of two with one name the last.
fn attributes(list: &Value) -> ValR<Value> {
    match list {
        Value::Null => Ok(Value::object(Object::default())),
        Value::Array(list) => Ok(named(list.items())),
        other => Err(Error::typ(other.clone(), "array")),
    }
}

fn named(list: &[Value]) -> Value {
    budget::work(16 * list.len());
    let mut named = Object::with_capacity(list.len());
    for attribute in list.iter().filter_map(Value::as_object) {
        let value = attribute.get("value").map_or(Value::Null, plain);
        if let Some(Value::String(key)) = attribute.get("key") {
            named.insert(key.clone(), value);
        }
    }
    Value::object(named)
}

/// The value that an `AnyValue` stands for; bytes remain Base64.
fn plain(any: &Value) -> Value {
    let Some((kind, value)) = any.as_object().and_then(|any| any.iter().next()) else {
        return Value::Null;
    };
    let values = || match value.as_object().and_then(|list| list.get("values")) {
        Some(Value::Array(values)) => {
            budget::work(16 * values.items().len());
            values.items()
        }
        _ => &[],
    };
    match (&**kind, value) {
        // 64 bits are text in Protobuf's JSON.
        ("intValue", Value::String(digits)) => digits
            .parse()
            .map_or_else(|_| value.clone(), |int| Value::Number(Number::Int(int))),
        ("arrayValue", _) => Value::array(values().iter().map(plain).collect::<Array>()),
        ("kvlistValue", _) => named(values()),
        _ => value.clone(),
    }
}
