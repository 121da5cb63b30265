//! Which of the two `CloudEvents` modes a record is read in, and the rules of the headers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use recap_events::{Decoded, EventType, Reason, Skipped, decode};

const DATA: &[u8] = br#"{"orgId":"o","userId":"u"}"#;
const WHOLE: &[u8] =
    br#"{"id":"inside","type":"user.deleted","time":"2024-03-01T09:00:00Z","data":{"orgId":"o","userId":"u"}}"#;
const BINARY: [(&str, &[u8]); 3] = [
    ("ce_id", b"outside"),
    ("ce_type", b"user.deleted"),
    ("ce_time", b"2024-03-01T09:00:00Z"),
];

type Header = (&'static str, &'static [u8]);

fn read(value: &'static [u8], headers: &[Header]) -> Decoded<'static> {
    decode(Some(value), headers.iter().map(|(name, value)| (*name, Some(*value))))
}

fn id(decoded: &Decoded<'_>) -> String {
    match decoded {
        Decoded::Event(event) => event.id.clone().into_owned(),
        other => panic!("{other:?}"),
    }
}

fn reason(decoded: &Decoded<'_>) -> Reason {
    match decoded {
        Decoded::Invalid(invalid) => invalid.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_event_headers_and_content_type_the_value_is_the_event() {
    assert_eq!(id(&read(WHOLE, &[])), "inside");
    assert_eq!(id(&read(WHOLE, &[("traceparent", b"00-1")])), "inside");
    let null: [(&str, Option<&[u8]>); 1] = [("content-type", None)];
    assert_eq!(id(&decode(Some(WHOLE), null.into_iter())), "inside");
}

#[test]
fn the_structured_content_type_wins_over_event_headers() {
    for content_type in [
        &b"application/cloudevents+json"[..],
        b"application/cloudevents+json; charset=utf-8",
        b"Application/CloudEvents+JSON",
    ] {
        let mut headers = BINARY.to_vec();
        headers.push(("Content-Type", content_type));
        assert_eq!(id(&read(WHOLE, &headers)), "inside");
    }
}

#[test]
fn with_event_headers_the_value_is_the_data() {
    assert_eq!(id(&read(DATA, &BINARY)), "outside");
    let mut headers = BINARY.to_vec();
    headers.push(("content-type", b"application/json"));
    assert_eq!(id(&read(DATA, &headers)), "outside");
    let upper = BINARY.map(|(name, value)| (&*name.to_uppercase().leak(), value));
    assert_eq!(id(&read(DATA, &upper)), "outside");
}

#[test]
fn another_content_type_without_event_headers_is_no_event() {
    let decoded = read(WHOLE, &[("content-type", b"application/json")]);
    assert_eq!(reason(&decoded), Reason::MissingField);
}

#[test]
fn each_header_is_checked() {
    let with = |name: &str, value: &'static [u8]| {
        BINARY.map(|header| if header.0 == name { (header.0, value) } else { header })
    };
    let without = |name: &str| BINARY.into_iter().filter(|header| header.0 != name).collect::<Vec<_>>();
    for name in ["ce_id", "ce_time", "ce_type"] {
        assert_eq!(reason(&read(DATA, &without(name))), Reason::MissingField);
        assert_eq!(reason(&read(DATA, &with(name, b"\xff"))), Reason::NotUtf8);
        let mut twice = BINARY.to_vec();
        twice.push(*BINARY.iter().find(|header| header.0 == name).unwrap());
        assert_eq!(reason(&read(DATA, &twice)), Reason::DuplicateField, "{name}");
    }
    assert_eq!(reason(&read(DATA, &with("ce_id", b""))), Reason::BadId);
    assert_eq!(reason(&read(DATA, &with("ce_id", b"a\0"))), Reason::BadId);
    assert_eq!(reason(&read(DATA, &with("ce_time", b"now"))), Reason::BadTime);

    let Decoded::Invalid(invalid) = read(b"{", &with("ce_id", b"")) else {
        panic!("valid");
    };
    assert_eq!(invalid.reason, Reason::NotJson);
    assert_eq!(invalid.event_type, Some(EventType::UserDeleted));
    assert_eq!(reason(&read(b"[]", &BINARY)), Reason::WrongType);
    assert_eq!(reason(&read(b"{} {}", &BINARY)), Reason::NotJson);
}

#[test]
fn an_unknown_header_type_is_skipped_without_a_look_at_the_value() {
    let decoded = read(b"\x00\xffavro", &[("ce_type", b"invoice.paid")]);
    assert_eq!(
        decoded,
        Decoded::Skipped(Skipped::UnknownType {
            event_type: "invoice.paid".into()
        })
    );
}
