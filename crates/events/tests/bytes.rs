//! Any bytes either decode or are refused: no panic, and "not JSON" exactly where `serde_json` says so.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::Index};
use recap_events::{Decoded, RawJson, Reason, decode};
use serde_json::value::RawValue;

const GOLDEN: &str = include_str!("golden/events.ndjson");

/// Pieces that bring a random text close to the grammar's edges.
const PIECES: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "\"",
    "\\",
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\u00e9",
    "\\n",
    "\\x",
    "0",
    "-",
    "1",
    ".",
    "e",
    "E+",
    "null",
    "true",
    "false",
    "nul",
    "\"id\"",
    "\"data\"",
    "\"orgId\"",
    "\"a\":1",
    "é",
    "合",
    "\u{1f}",
    "\0",
];

fn is_json(value: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(value).is_ok()
}

/// A few bytes replaced, removed, doubled or inserted.
fn damage(text: impl Strategy<Value = String>, times: usize) -> impl Strategy<Value = Vec<u8>> {
    let inserted = prop_oneof![
        3 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..3),
    ];
    (text, vec((any::<Index>(), 0..3_usize, inserted), 0..=times)).prop_map(|(text, damages)| {
        let mut bytes = text.into_bytes();
        for (place, removed, inserted) in damages {
            let from = place.index(bytes.len() + 1);
            let to = (from + removed).min(bytes.len());
            bytes.splice(from..to, inserted);
        }
        bytes
    })
}

fn damaged_event() -> impl Strategy<Value = Vec<u8>> {
    let line = any::<Index>().prop_map(|line| {
        let lines: Vec<_> = GOLDEN.lines().collect();
        String::from(*line.get(&lines))
    });
    damage(line, 3)
}

/// Small values, so that damage hits the grammar's edges: mostly JSON, sometimes just not.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        "-?(0|[0-9]{1,3})(\\.[0-9]{1,2})?([eE][+-]?[0-9]{1,2})?",
        "null|true|false",
        r#""([a é\u{10ffff}]|\\[nrtbf/"\\]|\\u[0-9a-fA-F]{4}|\\u[dD][89a-fA-F][0-9]{2}|\\u0000){0,4}""#,
    ];
    let nested = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..3), "[ \t\r\n]?").prop_map(|(items, space)| format!("[{space}{}]", items.join(","))),
            (vec((r#""[a\\"]{0,2}""#, inner), 0..3), "[ \t\r\n]?").prop_map(|(members, space)| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("{key}{space}:{value}"))
                    .collect();
                format!("{{{space}{}{space}}}", members.join(","))
            }),
        ]
    });
    damage(nested, 1)
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Option<Vec<u8>>)>> {
    let name = prop::sample::select(&["ce_id", "ce_type", "ce_time", "ce_", "ce", "content-type", "", "合合"][..]);
    let value = prop_oneof![
        Just(None),
        vec(any::<u8>(), 0..8).prop_map(Some),
        prop::sample::select(
            &[
                "message.upserted",
                "user.deleted",
                "agent.upserted",
                "2024-03-01T09:00:00Z",
                "application/cloudevents+json",
            ][..]
        )
        .prop_map(|text| Some(text.as_bytes().to_vec())),
    ];
    vec((name, value), 0..6)
}

/// What JSON says. Numbers are their text, for they have any size.
#[derive(Debug, PartialEq)]
enum Json {
    Object(BTreeMap<String, Json>),
    Array(Vec<Json>),
    String(String),
    /// A number, a boolean or null.
    Word(String),
}

fn json(text: &str) -> serde_json::Result<Json> {
    let text = serde_json::from_str::<&RawValue>(text)?.get();
    let inner = |value: &RawValue| json(value.get());
    Ok(match text.as_bytes() {
        [b'{', ..] => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let members = members.into_iter().map(|(key, value)| Ok((key, inner(value)?)));
            Json::Object(members.collect::<serde_json::Result<_>>()?)
        }
        [b'[', ..] => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Json::Array(items.into_iter().map(inner).collect::<serde_json::Result<_>>()?)
        }
        [b'"', ..] => Json::String(serde_json::from_str(text)?),
        _ => Json::Word(text.to_owned()),
    })
}

#[test]
fn numbers_of_any_size_are_kept() {
    let kept = RawJson::parse("[ 1e310, 1.10 ]").unwrap();
    assert_eq!(json(kept.as_str()).unwrap(), json("[1e310,1.10]").unwrap());
    assert_ne!(json("1e310").unwrap(), json("1e311").unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn structured_bytes_decode_or_are_refused_for_what_they_are(
        value in prop_oneof![damaged_event(), nearly_json(), vec(any::<u8>(), 0..64)]
    ) {
        let decoded = decode(Some(&value), std::iter::empty(), None);
        let reason = match &decoded {
            Decoded::Invalid(invalid) => Some(invalid.reason),
            Decoded::Event(_) | Decoded::Skipped(_) => None,
        };
        let is_utf8 = std::str::from_utf8(&value).is_ok();
        prop_assert_eq!(reason == Some(Reason::NotUtf8), !is_utf8);
        prop_assert_eq!(reason == Some(Reason::NotJson), is_utf8 && !is_json(&value));
    }

    #[test]
    fn any_headers_and_value_decode_or_are_refused(
        headers in headers(),
        value in prop_oneof![damaged_event(), nearly_json()]
    ) {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_deref()));
        let _ = decode(Some(&value), headers, None);
    }

    #[test]
    fn kept_json_means_the_same_and_is_compact(value in nearly_json()) {
        let Ok(text) = std::str::from_utf8(&value) else { return Ok(()) };
        let Ok(kept) = RawJson::parse(text) else {
            // Refused: not JSON, or a lone surrogate, which serde_json refuses in values.
            prop_assert!(serde_json::from_str::<serde_json::Value>(text).is_err());
            return Ok(());
        };
        prop_assert_eq!(&RawJson::parse(kept.as_str()), &Ok(kept.clone()));
        let shown = text.replace("\\\\", "\\u005c").replace("\\u0000", "\\ufffd");
        let value = |text: &str| json(text).map_err(|error| TestCaseError::fail(error.to_string()));
        prop_assert_eq!(value(kept.as_str())?, value(&shown)?);
    }
}
