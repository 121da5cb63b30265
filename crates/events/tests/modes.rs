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
    decode(
        Some(value),
        headers.iter().map(|(name, value)| (*name, Some(*value))),
        None,
    )
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
    assert_eq!(id(&decode(Some(WHOLE), null.into_iter(), None)), "inside");
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
fn a_whole_event_is_read_under_any_json_type_when_no_header_says_more() {
    for content_type in [
        &b"application/json"[..],
        b"text/json; charset=utf-8",
        b"application/vnd.acme+json",
    ] {
        assert_eq!(id(&read(WHOLE, &[("content-type", content_type)])), "inside");
    }
}

#[test]
fn batches_and_other_formats_are_refused_as_exactly_that() {
    for (content_type, refused) in [
        (&b"application/cloudevents-batch+json"[..], Reason::Batch),
        (b"application/cloudevents+avro", Reason::UnsupportedFormat),
        (b"application/cloudevents+protobuf", Reason::UnsupportedFormat),
        (b"text/plain", Reason::UnsupportedFormat),
        (b"\xff", Reason::UnsupportedFormat),
    ] {
        assert_eq!(reason(&read(WHOLE, &[("content-type", content_type)])), refused);
    }
    let mut headers = BINARY.to_vec();
    headers.push(("content-type", b"application/cloudevents-batch+json"));
    assert_eq!(
        reason(&read(WHOLE, &headers)),
        Reason::Batch,
        "whatever the other headers say"
    );
}

#[test]
fn data_of_another_content_type_than_json_is_refused() {
    let mut headers = BINARY.to_vec();
    headers.push(("content-type", b"text/plain"));
    assert_eq!(reason(&read(DATA, &headers)), Reason::UnsupportedDataType);
    headers[1] = ("ce_type", b"invoice.paid");
    assert!(
        matches!(read(DATA, &headers), Decoded::Skipped(_)),
        "an unknown type is nobody's fault"
    );
    for (data_content_type, is_json) in [
        ("\"application/json\"", true),
        ("\"application/json; charset=utf-8\"", true),
        ("\"application/vnd.acme+json\"", true),
        ("null", true),
        ("\"text/plain\"", false),
        ("\"application/cloudevents+json\"", false),
        ("\"\"", false),
    ] {
        let value = format!(
            r#"{{"id":"e","type":"user.deleted","time":"2024-03-01T09:00:00Z","datacontenttype":{data_content_type},"data":{{"orgId":"o","userId":"u"}}}}"#
        );
        match decode(Some(value.as_bytes()), std::iter::empty(), None) {
            Decoded::Event(_) => assert!(is_json, "{data_content_type}"),
            refused => {
                assert!(!is_json, "{data_content_type}");
                assert_eq!(reason(&refused), Reason::UnsupportedDataType);
            }
        }
    }
}

#[test]
fn data_in_base64_is_read_as_json() {
    let event =
        |data: &str| format!(r#"{{"id":"e","type":"user.deleted","time":"2024-03-01T09:00:00Z",{data}}}"#).into_bytes();
    // {"orgId":"o","userId":"u"}, with its padding and without.
    for base64 in [
        "eyJvcmdJZCI6Im8iLCJ1c2VySWQiOiJ1In0=",
        "eyJvcmdJZCI6Im8iLCJ1c2VySWQiOiJ1In0",
    ] {
        let value = event(&format!(r#""data":null,"data_base64":"{base64}""#));
        let plain = event(r#""data":{"orgId":"o","userId":"u"}"#);
        let read = |value| decode(Some(value), std::iter::empty(), None);
        assert_eq!(read(&value), read(&plain));
        assert_eq!(id(&read(&value)), "e");
    }
    for (data, refused) in [
        (r#""data_base64":"!""#, Reason::NotBase64),
        (r#""data_base64":7"#, Reason::WrongType),
        (r#""data_base64":"""#, Reason::NotJson),
        // {"orgId
        (r#""data_base64":"eyJvcmdJZA==""#, Reason::NotJson),
        // 0xff
        (r#""data_base64":"/w==""#, Reason::NotUtf8),
        // {"orgId":"o"}
        (r#""data_base64":"eyJvcmdJZCI6Im8ifQ==""#, Reason::MissingField),
        (
            r#""data_base64":"eyJvcmdJZCI6Im8iLCJ1c2VySWQiOiJ1In0=","data":{"orgId":"o","userId":"u"}"#,
            Reason::DuplicateField,
        ),
        (r#""data_base64":null"#, Reason::MissingField),
    ] {
        let value = event(data);
        assert_eq!(
            reason(&decode(Some(&value), std::iter::empty(), None)),
            refused,
            "{data}"
        );
    }
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
