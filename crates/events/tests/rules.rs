//! Every rule of the contract's "Invalid events": each breach, its stable reason, the field it names.

use recap_events::{Decoded, EventType, Invalid, Reason, Skipped, decode};

/// Type, what stands in `data` beside `orgId`, reason, what the detail says.
const DATA_BREACHES: &str = r#"
conversation.deleted | "x":1 | missing-field | `conversationId`
conversation.deleted | "conversationId":null | missing-field | `conversationId`
conversation.deleted | "conversationId":7 | wrong-type | `conversationId` must be a string, not a number
conversation.deleted | "conversationId":"" | bad-id | `conversationId` must be 1 to 255 bytes long, not 0
conversation.restored | "conversationId":"a\u0000b" | bad-id | `conversationId` must not hold U+0000
conversation.restored | "conversationId":"c","orgId":"o" | duplicate-field | `orgId`
conversation.restored | "conversationId":"c","org\u0049d":null | duplicate-field | `orgId`
conversation.upserted | "conversationId":"c","userId":"" | bad-id | `userId`
conversation.upserted | "conversationId":"c","agentId":"12" | wrong-type | `agentId` must be an integer, not a string
conversation.upserted | "conversationId":"c","agentId":12.5 | wrong-type | `agentId`
conversation.upserted | "conversationId":"c","agentId":9007199254740992 | out-of-range | `agentId`
conversation.upserted | "conversationId":"c","agentId":-9007199254740992 | out-of-range | `agentId`
conversation.upserted | "conversationId":"c","agentId":1e400 | out-of-range | `agentId`
conversation.upserted | "conversationId":"c","upstreamConversationId":[] | wrong-type | must be a string, not an array
conversation.upserted | "conversationId":"c","createdAt":"yesterday" | bad-time | `createdAt`
conversation.upserted | "conversationId":"c","createdAt":1709283600000 | wrong-type | `createdAt`
message.upserted | "conversationId":"c","role":"user","createdAt":"2024-03-01T09:00:00Z" | missing-field | `messageId`
message.upserted | "conversationId":"c","messageId":"m","createdAt":"2024-03-01T09:00:00Z" | missing-field | `role`
message.upserted | "conversationId":"c","messageId":"m","role":"user" | missing-field | `createdAt`
message.upserted | "conversationId":"c","messageId":"m","role":"" | empty-string | `role`
message.deleted | "conversationId":"c" | missing-field | `messageId`
message.deleted | "messageId":"m" | missing-field | `conversationId`
message.deleted | "conversationId":"c","messageId":7 | wrong-type | `messageId`
tool_call.deleted | "conversationId":"c" | missing-field | `toolCallId`
tool_call.deleted | "conversationId":"c","toolCallId":"" | bad-id | `toolCallId`
tool_call.started | "conversationId":"c","toolCallId":"t" | missing-field | `toolName`
tool_call.started | "conversationId":"c","toolCallId":"t","toolName":"" | empty-string | `toolName`
tool_call.started | "conversationId":"c","toolCallId":"t","toolName":"n","args":"\ud800" | lone-surrogate | `args`
tool_call.started | "conversationId":"c","toolCallId":"t","toolName":"n","args":1,"args":1 | duplicate-field | `args`
tool_call.finished | "conversationId":"c","toolCallId":"t","toolName":"" | empty-string | `toolName`
tool_call.finished | "conversationId":"c","toolCallId":"t","result":[{"\udc00":1}] | lone-surrogate | `result`
tool_call.finished | "conversationId":"c","toolCallId":"t","error":"\ud83dx" | lone-surrogate | `error`
tool_call.finished | "conversationId":"c","toolCallId":"t","finishedAt":"" | bad-time | `finishedAt`
feedback.submitted | "conversationId":"c","feedbackId":"f" | missing-field | `helpful`
feedback.submitted | "conversationId":"c","feedbackId":"f","helpful":"true" | wrong-type | must be a boolean, not a string
feedback.submitted | "conversationId":"c","feedbackId":"f","helpful":1 | wrong-type | `helpful`
feedback.submitted | "conversationId":"c","feedbackId":"f","helpful":true,"comment":{} | wrong-type | `comment`
feedback.withdrawn | "conversationId":"c" | missing-field | `feedbackId`
user.upserted | "x":0 | missing-field | `userId`
user.upserted | "userId":"u","email":true | wrong-type | `email` must be a string, not a boolean
user.upserted | "userId":"u","publicMetadata":[] | metadata-not-object | `publicMetadata` must be an object, not an array
user.upserted | "userId":"u","publicMetadata":"{}" | metadata-not-object | `publicMetadata`
user.deleted | "userId":{} | wrong-type | `userId`
agent.upserted | "name":"n" | missing-field | `agentId`
agent.upserted | "agentId":null | missing-field | `agentId`
agent.upserted | "agentId":1,"logoUrl":3 | wrong-type | `logoUrl`
agent.upserted | "agentId":1,"\ud800":3 | lone-surrogate | outside the contract
agent.upserted | "agentId":1,"other":[["\udfff"]] | lone-surrogate | outside the contract
"#;

/// An optional field of a message, reason, what the detail says.
const MESSAGE_BREACHES: &str = r#"
"text":1 | wrong-type | `text`
"text":"\udead" | lone-surrogate | `text`
"text":null,"text":"a" | duplicate-field | `text`
"model":false | wrong-type | `model`
"finishReason":[] | wrong-type | `finishReason`
"usage":3 | wrong-type | `usage`
"usage":{"inputTokens":-1} | out-of-range | `usage.inputTokens`
"usage":{"outputTokens":2147483648} | out-of-range | `usage.outputTokens`
"usage":{"totalTokens":"1"} | wrong-type | `usage.totalTokens`
"usage":{"totalTokens":1,"totalTokens":1} | duplicate-field | `usage.totalTokens`
"usage":{"totalTokens":0.5} | wrong-type | `usage.totalTokens`
"usage":{},"usage":{} | duplicate-field | `usage`
"attachmentCount":-1 | out-of-range | `attachmentCount`
"attachmentCount":true | wrong-type | `attachmentCount`
"userId":"" | bad-id | `userId`
"agentId":null,"agentId":null | duplicate-field | `agentId`
"upstreamConversationId":"" | bad-id | `upstreamConversationId`
"#;

/// The event, in which GOOD stands for an id and a time, and DATA for type and data of a deleted user.
const ENVELOPE_BREACHES: &str = r#"
[] | wrong-type | `event`
null | wrong-type | `event`
{"time":"2024-03-01T09:00:00Z",DATA} | missing-field | `id`
{"id":"e",DATA} | missing-field | `time`
{"id":"e","time":null,DATA} | missing-field | `time`
{"id":"","time":"2024-03-01T09:00:00Z",DATA} | bad-id | `id`
{"id":7,"time":"2024-03-01T09:00:00Z",DATA} | wrong-type | `id`
{"id":"e","id":"e","time":"2024-03-01T09:00:00Z",DATA} | duplicate-field | `id`
{"id":"e","time":"2024-03-01",DATA} | bad-time | `time`
{GOOD,"source":1,DATA} | wrong-type | `source`
{GOOD,"specversion":1.0,DATA} | wrong-type | `specversion`
{GOOD,"x":"\ud800",DATA} | lone-surrogate | outside the contract
{GOOD,"data":{}} | missing-field | `type`
{GOOD,"type":null,"data":{}} | missing-field | `type`
{GOOD,"type":3,"data":{}} | wrong-type | `type`
{GOOD,"type":"user.deleted","type":"other","data":{}} | duplicate-field | `type`
{GOOD,"type":"other","type":"user.deleted","data":{}} | duplicate-field | `type`
{GOOD,"type":"other","type":null} | duplicate-field | `type`
{GOOD,"type":"user.deleted"} | missing-field | `data`
{GOOD,"type":"user.deleted","data":null} | missing-field | `data`
{GOOD,"type":"user.deleted","data":"{}"} | wrong-type | `data`
{GOOD,"data":[],"type":"user.deleted"} | wrong-type | `data`
{GOOD,"data":{"orgId":3},"type":"user.deleted"} | wrong-type | `orgId`
{"data":{"orgId":"o","userId":"u"},"data":{},GOOD,"type":"user.deleted"} | duplicate-field | `data`
"#;

fn read(value: &[u8]) -> Decoded<'_> {
    decode(Some(value), std::iter::empty(), None)
}

fn refused(text: &str) -> Invalid {
    match read(text.as_bytes()) {
        Decoded::Invalid(invalid) => invalid,
        other => panic!("{other:?}: {text}"),
    }
}

fn event(event_type: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e1","source":"s","type":"{event_type}","time":"2024-03-01T09:00:00Z","data":{{"orgId":"o",{data}}}}}"#
    )
}

fn message(more: &str) -> String {
    let data = r#""conversationId":"c","messageId":"m","role":"user","createdAt":"2024-03-01T09:00:00Z""#;
    event("message.upserted", &format!("{data},{more}"))
}

fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    table.trim().lines().map(|line| {
        let cells: Vec<_> = line.split(" | ").collect();
        cells.try_into().unwrap_or_else(|_| panic!("not {N} cells: {line}"))
    })
}

#[track_caller]
fn assert_breach(text: &str, reason: &str, named: &str) -> Invalid {
    let invalid = refused(text);
    assert_eq!(invalid.reason.as_str(), reason, "{text}: {invalid}");
    assert!(invalid.detail.contains(named), "{text}: {invalid}");
    invalid
}

#[test]
fn a_breach_in_data_has_its_reason_and_names_its_field() {
    for [event_type, data, reason, named] in rows(DATA_BREACHES) {
        let invalid = assert_breach(&event(event_type, data), reason, named);
        assert_eq!(invalid.event_type, EventType::from_name(event_type));
    }
}

#[test]
fn a_mistyped_message_field_is_refused_though_optional() {
    for [more, reason, named] in rows(MESSAGE_BREACHES) {
        assert_breach(&message(more), reason, named);
    }
}

#[test]
fn the_envelope_has_rules_of_its_own() {
    for [text, reason, named] in rows(ENVELOPE_BREACHES) {
        let text = text
            .replace("GOOD", r#""id":"e","time":"2024-03-01T09:00:00Z""#)
            .replace("DATA", r#""type":"user.deleted","data":{"orgId":"o","userId":"u"}"#);
        assert_breach(&text, reason, named);
    }
}

#[test]
fn an_id_of_256_bytes_is_too_long() {
    let id = "x".repeat(256);
    let data = format!(r#""conversationId":"c","feedbackId":"{id}""#);
    assert_breach(
        &event("feedback.withdrawn", &data),
        "bad-id",
        "`feedbackId` must be 1 to 255 bytes long, not 256",
    );
}

#[test]
fn what_is_not_json_is_refused_as_that_before_anything_else() {
    let good = message(r#""text":"t""#);
    for text in [
        "",
        " ",
        "{",
        "{}x",
        "{'a':1}",
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":+1}"#,
        r#"{"a":1e}"#,
        r#"{"a":NaN}"#,
        r#"{"a":tru}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\u+123"}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\0\"}",
        r#"{"a" 1}"#,
        r#"{"a":1,}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1}"#,
        r#"{"a":{"b":1]}"#,
        r#"{"id":3,"id":4,"type":"other""#,
        "\u{feff}{}",
        &good[..good.len() - 1],
    ] {
        assert_eq!(refused(text).reason, Reason::NotJson, "{text}");
    }
}

#[test]
fn the_place_where_json_ends_is_named() {
    for (text, detail) in [
        (r#"{"id":"e",}"#, "expected a field name at byte 10"),
        (r#"{"id" "e"}"#, "expected `:` at byte 6"),
        (r#"{"data":[1 2]}"#, "expected `,` or `]` at byte 11"),
        ("{}}", "expected the end at byte 2"),
    ] {
        let invalid = refused(text);
        assert!(invalid.detail.ends_with(detail), "{text}: {invalid}");
    }
}

#[test]
fn what_is_not_utf8_is_refused_as_that() {
    let good = message(r#""text":"t""#).into_bytes();
    let at = good.len() - 4;
    let with = |bytes: &[u8]| [&good[..at], bytes, &good[at..]].concat();
    for wrong in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
        let value = with(wrong);
        let Decoded::Invalid(invalid) = read(&value) else {
            panic!("{wrong:?} was taken");
        };
        assert_eq!(invalid.reason, Reason::NotUtf8);
    }
    assert!(matches!(read(&with("é".as_bytes())), Decoded::Event(_)));
}

#[test]
fn an_unknown_type_is_skipped_whatever_else_is_wrong() {
    for text in [
        r#"{"type":"conversation.renamed"}"#,
        r#"{"type":"conversation.renamed","id":3,"id":4,"time":"?","data":"\ud800"}"#,
        r#"{"id":"","data":[],"type":"conversation.renamed"}"#,
    ] {
        let expected = Skipped::UnknownType {
            event_type: "conversation.renamed".into(),
        };
        assert_eq!(read(text.as_bytes()), Decoded::Skipped(expected), "{text}");
    }
    assert!(matches!(
        read(br#"{"type":"Message.Upserted"}"#),
        Decoded::Skipped(Skipped::UnknownType { .. })
    ));
}

#[test]
fn a_null_value_is_skipped() {
    let skipped = decode(None, [("ce_type", Some(&b"user.deleted"[..]))].into_iter(), None);
    assert_eq!(skipped, Decoded::Skipped(Skipped::NullValue));
}

#[test]
fn a_detail_never_quotes_what_was_sent() {
    for [event_type, data, ..] in rows::<4>(DATA_BREACHES) {
        let data = data.replace("true", r#"["secret"]"#).replace("\"c\"", "\"secret\"");
        if let Decoded::Invalid(invalid) = read(event(event_type, &data).as_bytes()) {
            assert!(!invalid.detail.contains("secret"), "{invalid}");
        }
    }
}
