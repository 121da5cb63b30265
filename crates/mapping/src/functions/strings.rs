//! Functions of strings: comparison, Base64, escapes.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jaq_core::{
    Error,
    native::{bome, unary, v},
};

use super::{Function, text};
use crate::{budget, value::Value};

pub(super) fn functions() -> Box<[Function]> {
    Box::new([
        ("startswith", v(1), |cv| {
            unary(cv, |all, part| {
                budget::work(text(&part)?.len());
                Ok(Value::Bool(text(&all)?.starts_with(text(&part)?)))
            })
        }),
        ("endswith", v(1), |cv| {
            unary(cv, |all, part| {
                budget::work(text(&part)?.len());
                Ok(Value::Bool(text(&all)?.ends_with(text(&part)?)))
            })
        }),
        ("encode_base64", v(0), |cv| {
            bome(changed(&cv.1, |text| STANDARD.encode(text)))
        }),
        ("decode_base64", v(0), |cv| {
            let decode = |text: &str| {
                STANDARD
                    .decode(text)
                    .map_err(|_| Error::str("the string is not Base64"))
            };
            bome(text(&cv.1).and_then(decode).map(|bytes| {
                budget::work(bytes.len());
                Value::string(&String::from_utf8_lossy(&bytes))
            }))
        }),
        ("encode_uri", v(0), |cv| bome(changed(&cv.1, percent_encoded))),
        ("decode_uri", v(0), |cv| bome(changed(&cv.1, percent_decoded))),
        ("escape_html", v(0), |cv| bome(changed(&cv.1, html))),
    ])
}

fn changed(value: &Value, change: impl FnOnce(&str) -> String) -> Result<Value, Error<Value>> {
    let text = text(value)?;
    budget::work(text.len());
    budget::allocate(text.len());
    Ok(Value::string(&change(text)))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // A string takes everything.
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What is no escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
