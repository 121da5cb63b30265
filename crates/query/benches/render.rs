//! What a page of 50 conversations costs to write as JSON, each with a tool call, two in five with feedback.

use std::hint::black_box;

use chrono::{DateTime, Utc};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use recap_events::Millis;
use recap_query::{Exclude, json_conversation};
use recap_store::{Feedback, Node, Row, ToolCall};

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_767_225_600_123).unwrap_or_default()
}

fn words(characters: usize) -> String {
    let some = "why was the order late, and \"where\" is it? ";
    some.repeat(characters / some.len())
}

fn row(number: usize) -> Row {
    let id = |kind: &str| Some(format!("{kind}-{number}"));
    let call = ToolCall {
        id: format!("call-{number}"),
        name: id("search"),
        args: Some(format!(r#"{{"query":"{number}"}}"#)),
        result: Some(format!(r#"{{"items":["{}"]}}"#, "x".repeat(1_200))),
        error: None,
        message_id: id("message"),
        started_at: Some(time()),
        finished_at: Some(time()),
    };
    let feedback = Feedback {
        id: format!("feedback-{number}"),
        helpful: true,
        comment: Some(words(80)),
        message_id: id("message"),
        user_id: id("user"),
        created_at: Some(time()),
    };
    let feedback = if number % 5 < 2 { vec![feedback] } else { Vec::new() };
    let given = i64::from(!feedback.is_empty());
    let mut row = Row {
        id: format!("00000000-0000-4000-8000-{number:012}"),
        first_message_text: Some(words(1_000)),
        agent_name: id("agent"),
        agent_logo_url: None,
        user_email: Some(format!("user-{number}@example.test")),
        user_first_name: id("First"),
        user_last_name: id("Last"),
        user_public_metadata: Some(format!(r#"{{"customerId":"customer-{number}"}}"#)),
        tool_calls: vec![call],
        feedback,
        ..Row::default()
    };
    let columns = &mut row.columns;
    columns.agent_id = Some(1_000);
    columns.created_at = Millis(time().timestamp_millis());
    columns.updated_at = columns.created_at;
    columns.agent_model = id("model");
    columns.user_id = id("user");
    columns.user_message_count = 10;
    columns.assistant_message_count = 10;
    columns.total_message_count = 20;
    columns.duration_ms = 61_005;
    columns.tokens.total = 18_000;
    columns.tokens.input = 14_000;
    columns.tokens.output = 4_000;
    columns.tool_call_count = 1;
    columns.last_finish_reason = id("stop");
    columns.total_feedback = given;
    columns.total_helpful = given;
    row
}

fn render(nodes: &[Node]) -> Vec<u8> {
    let mut out = Vec::new();
    for node in nodes {
        json_conversation(&mut out, node, Exclude::default());
    }
    out
}

fn page(criterion: &mut Criterion) {
    let node = |number| Node {
        row: row(number),
        children: Vec::new(),
    };
    let nodes: Vec<Node> = (0..50).map(node).collect();
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Bytes(render(&nodes).len() as u64));
    group.bench_function("page of 50 as JSON", |b| {
        b.iter(|| render(black_box(&nodes)));
    });
    group.finish();
}

criterion_group!(benches, page);
criterion_main!(benches);
