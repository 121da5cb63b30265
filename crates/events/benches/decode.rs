//! How fast one core decodes typical events, in events and bytes per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use recap_events::decode;

fn message(text: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"01928f3a-0000-7000-8000-000000000010","source":"agents.example/chat","type":"message.upserted","time":"2024-03-01T09:00:08.500123Z","data":{{"orgId":"org_2aCme","conversationId":"7b0c1f52-6f0e-4c55-9a41-0f3f6f0f1a01","messageId":"01928f3a-0000-7000-8000-000000000011","role":"assistant","createdAt":"2024-03-01T09:00:05.000Z","text":"{text}","model":"gpt-4-turbo","finishReason":"stop","usage":{{"inputTokens":310,"outputTokens":64,"totalTokens":380}}}}}}"#
    )
}

fn tool_call(space: &str) -> String {
    let row = format!(r#"{{"region":{space}"EMEA",{space}"revenue":{space}41.5}},{space}"#);
    let rows = row.repeat(30) + "null";
    format!(
        r#"{{"specversion":"1.0","id":"01928f3a-0000-7000-8000-000000000010","source":"agents.example/chat","type":"tool_call.finished","time":"2024-03-01T09:00:08.500Z","data":{{"orgId":"org_2aCme","conversationId":"7b0c1f52-6f0e-4c55-9a41-0f3f6f0f1a01","toolCallId":"call_1","result":{{"rows":{space}[{rows}]}},"finishedAt":"2024-03-01T09:00:04.100Z"}}}}"#
    )
}

fn decoding(c: &mut Criterion) {
    let plain = message(&"Sales grew in every region. ".repeat(9)[..245]);
    let escaped = message(&"Sales grew.\\n\\\"EMEA\\\" leads, APAC follows. ".repeat(6)[..245]);
    let unicode = message(&"Prüfe §4 — 合同 ✅ ".repeat(9));
    let after = plain.replacen(r#""type":"message.upserted","#, "", 1);
    let type_last = format!(r#"{},"type":"message.upserted"}}"#, &after[..after.len() - 1]);
    for (name, event) in [
        ("message of 700 bytes", plain),
        ("message with escapes", escaped),
        ("message not in ASCII", unicode),
        ("message with its type last", type_last),
        ("tool call", tool_call("")),
        ("tool call with spaces", tool_call(" ")),
    ] {
        let mut group = c.benchmark_group("decode");
        let bytes = event.as_bytes();
        group.throughput(Throughput::ElementsAndBytes {
            elements: 1,
            bytes: bytes.len() as u64,
        });
        group.bench_function(format!("{name} ({})", bytes.len()), |b| {
            b.iter(|| decode(Some(black_box(bytes)), std::iter::empty(), None));
        });
        group.finish();
    }
}

criterion_group!(benches, decoding);
criterion_main!(benches);
