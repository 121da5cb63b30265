//! How many records a second one core maps: `cargo run --release -p recap-mapping --example throughput`.
#![expect(clippy::disallowed_methods, reason = "this measures")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use recap_mapping::{Events, Mapped, Mapping, Record};

/// As in the programs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A chat message as an application publishes it, to `message.upserted` with its text put together, and a call for each tool part.
const PROGRAM: &str = r#"
.headers.tenant as $org | .value | . as $m
| {orgId: $org, conversationId: .chatId} as $of
| {type: "message.upserted", time: .updatedAt, data: ($of + {
    messageId: .id, role, createdAt, model: .metadata.model?, userId, finishReason: .metadata.finishReason?,
    text: ([.parts[] | select(.type == "text") | .text] | join("\n")),
    usage: (.metadata.usage? // null | if . then {inputTokens, outputTokens} else null end)
  })},
  (.parts[] | select(.type == "tool") | {type: "tool_call.started", time: $m.updatedAt, data: ($of + {toolCallId, toolName: .name, args: .input, messageId: $m.id})})
"#;

const RECORD: &str = r#"{"id": "0198b1d2-7a52-7c3e-9d2f-3a5b6c7d8e9f", "chatId": "0198b1d2-0000-7c3e-9d2f-3a5b6c7d8e9f", "role": "assistant",
 "createdAt": "2026-01-05T10:00:00.000Z", "updatedAt": "2026-01-05T10:00:02.500Z", "userId": "user_1",
 "metadata": {"model": "gpt-5", "finishReason": "stop", "usage": {"inputTokens": 812, "outputTokens": 96}},
 "parts": [{"type": "step-start"}, {"type": "text", "text": "Your order left the warehouse this morning and should be with you on Wednesday."},
           {"type": "tool", "toolCallId": "call_1", "name": "trackOrder", "input": {"order": 4711}}]}"#;

/// The mapping of the README: names and a time.
const PLAIN: &str = r#".value | {type: "message.upserted", data: {orgId: .tenant, conversationId: .chat, messageId: .id, role, text, createdAt: (.sent | time_of_millis)}}"#;

const PLAIN_RECORD: &str = r#"{"tenant": "org_a", "chat": "0198b1d2-0000-7c3e-9d2f-3a5b6c7d8e9f", "id": "0198b1d2-7a52-7c3e-9d2f-3a5b6c7d8e9f", "role": "user",
 "text": "Where is my order? It should have been here on Monday.", "sent": 1767607200123}"#;

fn main() -> ExitCode {
    let measured = [
        ("plain", PLAIN, PLAIN_RECORD),
        ("with parts and a tool call", PROGRAM, RECORD),
    ];
    for (name, program, record) in measured {
        if !measure(name, program, record) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(name: &str, program: &str, value: &str) -> bool {
    let Ok(mapping) = Mapping::compile("chat.jq", program) else {
        return false;
    };
    let mut memory = Events::default();
    let (mut records, mut events) = (0_u64, 0_u64);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        for offset in 0..1_000 {
            let record = Record {
                topic: "chat",
                partition: 0,
                offset,
                timestamp: Some(1_767_607_200_000),
                key: None,
                headers: &[("tenant", Some(b"org_a"))],
                value: Some(black_box(value.as_bytes())),
                schemas: None,
            };
            match mapping.read(&record, None, &mut memory) {
                Mapped::Events { events: mapped, .. } if !mapped.is_empty() => events += mapped.len() as u64,
                _ => return false,
            }
            records += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate to look at")]
    let rate = |count: u64| count as f64 / started.elapsed().as_secs_f64();
    println!(
        "{name}: {:.0} records/s, {:.0} events/s, {} bytes a record",
        rate(records),
        rate(events),
        value.len()
    );
    true
}
