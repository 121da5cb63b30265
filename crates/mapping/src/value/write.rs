//! Values as JSON text.

use std::fmt::{self, Write};

use super::{Array, Object, Value};
use crate::budget;

impl Value {
    /// Its JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    /// Appends its JSON text.
    pub fn write_json(&self, text: &mut String) {
        let size = usize::try_from(self.size().bytes).unwrap_or(usize::MAX);
        budget::work(size);
        budget::allocate(size);
        // A string takes everything.
        let _infallible = write_value(self, text);
    }
}

fn write_value(value: &Value, out: &mut String) -> fmt::Result {
    match value {
        Value::Null => out.write_str("null"),
        Value::Bool(bool) => out.write_str(if *bool { "true" } else { "false" }),
        Value::Number(number) => write!(out, "{number}"),
        Value::String(text) => write_string(text, out),
        Value::Array(array) => write_array(array, out),
        Value::Object(object) => write_object(object, out),
    }
}

fn write_array(array: &Array, out: &mut String) -> fmt::Result {
    out.push('[');
    for (at, item) in array.items().iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_value(item, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_object(object: &Object, out: &mut String) -> fmt::Result {
    out.push('{');
    for (at, (key, value)) in object.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(key, out)?;
        out.push(':');
        write_value(value, out)?;
    }
    out.push('}');
    Ok(())
}

/// Appends a JSON string.
pub(crate) fn write_string(text: &str, out: &mut String) -> fmt::Result {
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => write!(out, "\\u{control:04x}")?,
        }
    }
    out.push_str(&text[written..]);
    out.push('"');
    Ok(())
}

/// For jq's messages, which go to logs: texts of the record are not quoted.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Bool(bool) => bool.fmt(f),
            other => f.write_str(other.type_name()),
        }
    }
}
