//! How valid fields are read: what is ignored, what is replaced, and both ends of every range.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use recap_events::{Body, Change, Decoded, Event, EventType, Micros, Millis, RawJson, Reason, decode};

fn read(text: &str) -> Decoded<'_> {
    decode(Some(text.as_bytes()), std::iter::empty(), None)
}

fn valid(text: &str) -> Event<'_> {
    match read(text) {
        Decoded::Event(event) => event,
        other => panic!("{other:?}: {text}"),
    }
}

fn refused(text: &str) -> Reason {
    match read(text) {
        Decoded::Invalid(invalid) => invalid.reason,
        other => panic!("{other:?}: {text}"),
    }
}

/// A structured event of a type, with this inside `data` after `orgId`.
fn with(event_type: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e1","source":"s","type":"{event_type}","time":"2024-03-01T09:00:00Z","data":{{"orgId":"o",{data}}}}}"#
    )
}

const MESSAGE: &str = r#""conversationId":"c","messageId":"m","role":"user","createdAt":"2024-03-01T09:00:00Z""#;

fn message(more: &str) -> String {
    with("message.upserted", &format!("{MESSAGE},{more}"))
}

fn of_message(text: &str) -> recap_events::Message<'_> {
    match valid(text).body {
        Body::Conversation {
            change: Change::Message(message),
            ..
        } => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_fields_are_ignored_even_twice_and_by_contract_names_of_other_types() {
    let text = with(
        "user.deleted",
        r#""userId":"u","role":"","role":7,"agentId":"x","deep":{"orgId":1,"orgId":2}"#,
    );
    assert_eq!(valid(&text).event_type(), EventType::UserDeleted);
    let text = message(r#""usage":{"other":-1,"other":-1},"messageid":3"#);
    assert_eq!(of_message(&text).usage, recap_events::Usage::default());
}

#[test]
fn null_means_absent() {
    let text = message(
        r#""text":null,"model":null,"finishReason":null,"usage":null,"attachmentCount":null,"userId":null,"agentId":null,"upstreamConversationId":null"#,
    );
    assert_eq!(of_message(&text), of_message(&with("message.upserted", MESSAGE)));
    let text = with(
        "tool_call.finished",
        r#""conversationId":"c","toolCallId":"t","result":null,"error":[null]"#,
    );
    let Body::Conversation {
        change: Change::ToolCallFinished(call),
        ..
    } = valid(&text).body
    else {
        panic!("not a finished call");
    };
    assert_eq!(call.result, None);
    assert_eq!(call.error.unwrap().as_str(), "[null]");
}

#[test]
fn ranges_include_their_ends() {
    let text = message(
        r#""attachmentCount":2147483647,"agentId":-9007199254740991,"usage":{"inputTokens":0,"outputTokens":-0,"totalTokens":1.0e1}"#,
    );
    let message = of_message(&text);
    assert_eq!(message.attachment_count, Some(2_147_483_647));
    assert_eq!(message.agent_id, Some(-9_007_199_254_740_991));
    assert_eq!(message.usage.output_tokens, Some(0));
    assert_eq!(message.usage.total_tokens, Some(10));

    let id = "é".repeat(127) + "x";
    let text = with("user.deleted", &format!(r#""userId":"{id}""#));
    assert!(matches!(valid(&text).body, Body::User { user_id, .. } if user_id == id));
    let text = with("user.deleted", &format!(r#""userId":"{id}y""#));
    assert_eq!(refused(&text), Reason::BadId);
}

#[test]
fn strings_are_unescaped_and_nul_is_replaced_outside_ids() {
    let text = message(
        r#""text":"a\u0000\n\"\\\/\b\f\r\t\u00e9\ud83d\ude00\\u0000","model":"\u0000","userId":"\u0061b \u4e2d""#,
    );
    let message = of_message(&text);
    assert_eq!(message.text.unwrap(), "a\u{fffd}\n\"\\/\u{8}\u{c}\r\té😀\\u0000");
    assert_eq!(message.model.unwrap(), "\u{fffd}");
    assert_eq!(message.user_id.unwrap(), "ab 中");
}

#[test]
fn json_values_lose_only_whitespace_and_nul() {
    let text = with(
        "tool_call.started",
        "\"conversationId\":\"c\",\"toolCallId\":\"t\",\"toolName\":\"n\",\"args\": { \"b\\u0000\" :\t[ 1e400 , -0.10E+2,\n\"x  \\\\u0000 \\u0000\\\"\" ] ,\r\"a\":{ } , \"b\\u0000\":[ ]}",
    );
    let Body::Conversation {
        change: Change::ToolCallStarted(call),
        ..
    } = valid(&text).body
    else {
        panic!("not a started call");
    };
    assert_eq!(
        call.args.unwrap().as_str(),
        r#"{"b\ufffd":[1e400,-0.10E+2,"x  \\u0000 \ufffd\""],"a":{},"b\ufffd":[]}"#
    );
}

#[test]
fn nesting_of_any_depth_is_kept() {
    let depth = 100_000;
    let deep = format!("{}{}", "[{\"a\":".repeat(depth / 2), "1") + &"}]".repeat(depth / 2);
    let text = with(
        "tool_call.started",
        &format!(r#""conversationId":"c","toolCallId":"t","toolName":"n","ignored":{deep},"args":{deep}"#),
    );
    let Body::Conversation {
        change: Change::ToolCallStarted(call),
        ..
    } = valid(&text).body
    else {
        panic!("not a started call");
    };
    assert_eq!(call.args.unwrap().as_str(), deep);
    let unclosed = text.replacen("}]}]}]", "}]}]]}", 1);
    assert_eq!(refused(&unclosed), Reason::NotJson);
}

#[test]
fn event_time_keeps_microseconds_and_other_times_milliseconds() {
    let text = r#"{"id":"e","type":"conversation.upserted","time":"2024-03-01t10:30:00.1234567891+01:30","data":{"orgId":"o","conversationId":"c","createdAt":"2024-03-01T08:59:59.9999z"}}"#;
    let event = valid(text);
    assert_eq!(event.time, Micros(1_709_283_600_123_456));
    let Body::Conversation {
        change: Change::Upserted(fields),
        ..
    } = event.body
    else {
        panic!("not an upserted conversation");
    };
    assert_eq!(fields.created_at, Some(Millis(1_709_283_599_999)));
}

/// Of two keys of one object that become equal when U+0000 is shown as U+FFFD, the last wins, at every depth.
#[test]
fn of_keys_made_equal_by_u_0000_the_last_wins() {
    for (sent, kept) in [
        (r#"{"a\u0000":1,"a\ufffd":2}"#, r#"{"a\ufffd":2}"#),
        (r#"{"a\ufffd":1,"a\u0000":2}"#, r#"{"a\ufffd":2}"#),
        (
            r#"{"a\u0000": 1, "b": {"x\u0000": [1], "y": 2, "x\ufffd": 3}, "a�": {"deep": 1}}"#,
            r#"{"b":{"y":2,"x\ufffd":3},"a�":{"deep":1}}"#,
        ),
        (
            r#"[{"\u0000":"\u0000"},{"\ufffd":1}]"#,
            r#"[{"\ufffd":"\ufffd"},{"\ufffd":1}]"#,
        ),
        // Keys that were equal when they were sent come back as they were sent.
        (r#"{"a":1,"a":2,"b\u0000":3}"#, r#"{"a":1,"a":2,"b\ufffd":3}"#),
        (r#"{"a\\u0000":1,"a\u0000":2}"#, r#"{"a\\u0000":1,"a\ufffd":2}"#),
        (
            r#"{"k":"\u0000,}","k\u0000":[{}],"k\ufffd":{}}"#,
            r#"{"k":"\ufffd,}","k\ufffd":{}}"#,
        ),
        (r#"{"\u0000":{},"\u0000":[]}"#, r#"{"\ufffd":{},"\ufffd":[]}"#),
        (
            r#"{"\u0000":1,"\ufffd":2,"\u0000":3,"\u0000":4}"#,
            r#"{"\ufffd":3,"\ufffd":4}"#,
        ),
    ] {
        assert_eq!(RawJson::parse(sent).unwrap().as_str(), kept, "{sent}");
    }
    let deep = 100_000;
    let sent = format!(
        "{}{{\"a\\u0000\":1,\"a\\ufffd\":2}}{}",
        "[".repeat(deep),
        "]".repeat(deep)
    );
    let kept = format!("{}{{\"a\\ufffd\":2}}{}", "[".repeat(deep), "]".repeat(deep));
    assert_eq!(RawJson::parse(&sent).unwrap().as_str(), kept);
}
