//! Format versions, byte by byte. Rows hold them: when one of these fails, the format needs a new version and a
//! reader for this one, not a new expectation.

use std::fmt::Write;

use recap_events::{
    Change, ConversationFields, FeedbackSubmitted, Message, Micros, Millis, RawJson, ToolCallFinished, ToolCallStarted,
    Usage,
};
use recap_summary::Conversation;

const MAIN: &str = "\
    0100ff0f809aef93bf63c0a90702bfa90780e0617000800000000000000a09070008757365725f6164610701f47ac10b58cc\
    4372a5670e02b2c3d4790717021880e061700080000000000000020008757365725f6c696e0704f2df610000000000000000\
    00010718070002f2df6170008000000000000001f30e1f96d040037f08c48c01ea0109652d64656c65746564020473746f70\
    056770742d340448088e9aef93bf63f2df617000800000000000000180e0617000800000000000000200038d3f0201ffffff\
    fffffffffffffffffffffffffff0df610000000000000000000a02b602ffffffff07010300010210b0a907086d2d73797374\
    656d086d2d73797374656d0000031000066d2d746f6f6c066d2d746f6f6c00000201059f8a0780e061700080000000000000\
    0bf1425155c7529617000000000000000000000000000000008805cf0f0109652d73746172746564b574dda0264ade2cd00f\
    80e0617000800000000000000bf1425155c75296170663616c6c5f31038000d00f03662d310a652d666565646261636b6599\
    39e46f45011300000003662d320a652d666565646261636bdae5d402ec22530b400100e70703662d330b652d776974686472\
    61776effffffffffffff7f";

/// Version 2 has deletions besides.
const DELETIONS: &str = "\
    020001008e9aef93bf63824e000248408e9aef93bf63f2df617000800000000000000180e061700080000000000000020041\
    c20f01066d2d676f6e6506652d676f6e65020820c03e09652d737461727465642b7ee1d36ef17511089f1fe70709652d6465\
    6c657465640663616c6c5f31002004df2ef0df610000000000000000000a0663616c6c5f3200";

const PARTS: [&str; 2] = [
    "\
    01010473746f700248088e9aef93bf63f2df617000800000000000000180e0617000800000000000000200030310b2a90706\
    6d2d746f6f6c066d2d746f6f6c00000201059f8a0780e0617000800000000000000bf1425155c75296170000000000000000\
    00000000000000008805cf0f0109652d73746172746564b574dda0264ade2cd00f80e0617000800000000000000bf1425155\
    c75296170663616c6c5f3100",
    "\
    01020473746f70056770742d34028d3f909aef93bf6301fffffffffffffffffffffffffffffffff0df610000000000000000\
    000a02b602ffffffff07010300010210b0a907086d2d73797374656d086d2d73797374656d000000038000cffa0603662d31\
    0a652d666565646261636b659939e46f45011300000003662d320a652d666565646261636bdae5d402ec22530b400100e707\
    03662d330b652d77697468647261776effffffffffffff7f",
];

/// 2024-03-01T09:00:00Z
const BASE: i64 = 1_709_283_600_000;

/// Every register, every flag of every record, every form of an id.
#[expect(clippy::too_many_lines, reason = "a list of events")]
fn state(part_bytes: usize) -> Conversation {
    let mut state = Conversation::with_part_bytes(part_bytes);
    let mut apply = |id: &str, micros: i64, change: Change<'static>| {
        state.apply(id, Micros(BASE * 1_000 + micros), &change);
    };
    apply(
        "018df94a-1e80-7000-8000-00000000000a",
        0,
        Change::Upserted(ConversationFields {
            user_id: Some("user_ada".into()),
            agent_id: Some(-12),
            upstream_conversation_id: Some("f47ac10b-58cc-4372-a567-0e02b2c3d479".into()),
            created_at: Some(Millis(BASE - 5)),
        }),
    );
    apply("e-deleted", 9_001_234, Change::Deleted);
    let question = Message {
        message_id: "018df94a-1e80-7000-8000-000000000001".into(),
        role: "user".into(),
        created_at: Millis(BASE + 7),
        text: Some("Hello".into()),
        model: None,
        finish_reason: None,
        usage: Usage::default(),
        attachment_count: Some(3),
        user_id: Some("user_lin".into()),
        agent_id: Some(12),
        upstream_conversation_id: Some("01HQWMM7M00000000000000001".into()),
    };
    apply(
        "018df94a-1e87-7000-8000-000000000002",
        7_000,
        Change::Message(question.clone()),
    );
    apply(
        "01HQWMM7M0000000000000000A",
        8_001,
        Change::Message(Message {
            message_id: "7ZZZZZZZZZZZZZZZZZZZZZZZZZ".into(),
            role: "assistant".into(),
            created_at: Millis(BASE + 9),
            text: None,
            model: Some("gpt-4".into()),
            finish_reason: Some("stop".into()),
            usage: Usage {
                input_tokens: Some(310),
                output_tokens: Some(i32::MAX.unsigned_abs()),
                total_tokens: Some(1),
            },
            user_id: None,
            ..question.clone()
        }),
    );
    for (id, role) in [("m-system", "system"), ("m-tool", "tool")] {
        apply(
            id,
            60_000_000,
            Change::Message(Message {
                message_id: id.into(),
                role: role.into(),
                created_at: Millis(BASE + 60_000),
                finish_reason: Some("stop".into()),
                attachment_count: None,
                ..question.clone()
            }),
        );
    }
    apply(
        "e-started",
        1_000_001,
        Change::ToolCallStarted(ToolCallStarted {
            tool_call_id: "call_1".into(),
            tool_name: "search".into(),
            args: RawJson::parse("{}").ok(),
            message_id: None,
            started_at: None,
        }),
    );
    for call in ["call_1", "00000000-0000-0000-0000-000000000000"] {
        apply(
            "018df94a-2650-7000-8000-00000000000b",
            2_000_000,
            Change::ToolCallFinished(ToolCallFinished {
                tool_call_id: call.into(),
                tool_name: None,
                result: None,
                error: RawJson::parse("\"timeout\"").ok(),
                finished_at: None,
            }),
        );
    }
    for (id, helpful) in [("f-1", true), ("f-2", false)] {
        apply(
            "e-feedback",
            3_000_000,
            Change::FeedbackSubmitted(FeedbackSubmitted {
                feedback_id: id.into(),
                helpful,
                comment: Some("Better now".into()),
                message_id: None,
                user_id: None,
                created_at: None,
            }),
        );
    }
    apply(
        "e-withdrawn",
        3_000_999,
        Change::FeedbackWithdrawn {
            feedback_id: "f-3".into(),
        },
    );
    state
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
        .collect()
}

#[test]
fn version_1_is_written_and_read() {
    let state = state(1 << 20);
    let encoded = state.encode_whole();
    assert_eq!(encoded.part_count, 1);
    assert!(encoded.parts.is_empty());
    assert_eq!(hex(&encoded.main), hex(&bytes(MAIN)));
    assert_eq!(Conversation::decode(&bytes(MAIN), &[]), Ok(state));
}

#[test]
fn version_1_is_split_by_the_same_hash() {
    let encoded = state(320).encode_whole();
    assert_eq!(encoded.part_count, 2);
    let parts: Vec<_> = encoded.parts.iter().map(|(_, part)| hex(part)).collect();
    assert_eq!(parts, PARTS.map(|part| hex(&bytes(part))));
}

#[test]
fn version_2_is_written_and_read() {
    let mut state = Conversation::default();
    let mut apply = |id: &str, micros: i64, change: Change<'static>| {
        state.apply(id, Micros(BASE * 1_000 + micros), &change);
    };
    for (event, micros, message) in [
        ("e-gone", 1_000_001, "m-gone"),
        (
            "018df94a-1e87-7000-8000-000000000002",
            7_000,
            "018df94a-1e80-7000-8000-000000000001",
        ),
    ] {
        let message_id = message.into();
        apply(event, micros, Change::MessageDeleted { message_id });
    }
    apply(
        "e-started",
        5_000_000,
        Change::ToolCallStarted(ToolCallStarted {
            tool_call_id: "call_1".into(),
            tool_name: "search".into(),
            args: None,
            message_id: None,
            started_at: None,
        }),
    );
    for (event, micros, call) in [
        ("e-deleted", 3_000_999, "call_1"),
        ("01HQWMM7M0000000000000000A", 8_000, "call_2"),
    ] {
        let tool_call_id = call.into();
        apply(event, micros, Change::ToolCallDeleted { tool_call_id });
    }
    assert_eq!(hex(&state.encode_whole().main), hex(&bytes(DELETIONS)));
    assert_eq!(Conversation::decode(&bytes(DELETIONS), &[]), Ok(state));
}
