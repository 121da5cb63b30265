//! Events that a well-meaning producer would not send, and some do.

use recap_generator::Record;
use recap_log::Topic;

/// One event of the contract.
fn event(topic: Topic, kind: &str, id: &str, time: &str, conversation: &str, data: &str) -> Record {
    let value = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"test","type":"{kind}","time":"{time}","data":{{"orgId":"org","conversationId":"{conversation}",{data}}}}}"#
    );
    Record {
        topic,
        key: conversation.into(),
        value: value.into_bytes(),
        ..Record::default()
    }
}

/// A message of a user, with as many tokens as an event may count.
pub fn message(id: &str, time: &str, conversation: &str, text: &str) -> Record {
    let data = format!(
        r#""messageId":"{id}","role":"user","createdAt":"{time}","text":"{text}","usage":{{"inputTokens":2147483647}}"#
    );
    event(
        Topic::Messages,
        "message.upserted",
        &format!("e-{id}"),
        time,
        conversation,
        &data,
    )
}

/// Both halves of a call with these arguments, which it returns.
pub fn tool_call(id: usize, args: &str) -> [Record; 2] {
    let time = "2026-01-01T00:00:00Z";
    let started = format!(r#""toolCallId":"t-{id}","toolName":"search","args":{args}"#);
    let finished = format!(r#""toolCallId":"t-{id}","result":{args}"#);
    [
        event(
            Topic::ToolCalls,
            "tool_call.started",
            &format!("s-{id}"),
            time,
            "tools",
            &started,
        ),
        event(
            Topic::ToolCalls,
            "tool_call.finished",
            &format!("f-{id}"),
            time,
            "tools",
            &finished,
        ),
    ]
}

/// Ids that a careless comparison takes for one.
pub const LOOK_ALIKES: [&str; 8] = [
    "same",
    "Same",
    "SAME",
    "same ",
    " same",
    "same\u{a0}",
    "sa\u{301}me",
    "s\u{e1}me",
];

/// The ends of time, and a leap second.
pub const TIMES: [&str; 3] = [
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-02-28T23:59:60Z",
];

/// A message of the organization with this number, the conversation's id being everybody's.
pub fn of_organization(number: usize) -> Record {
    let mut record = message(&format!("m-{number}"), "2026-01-01T00:00:00Z", "c", "hello");
    record.value = String::from_utf8_lossy(&record.value)
        .replace("\"org\"", &format!("\"org-{number}\""))
        .into_bytes();
    record
}
