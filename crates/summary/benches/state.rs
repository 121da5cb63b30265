//! What each operation on a state costs: a usual conversation of 20 messages, 2 tool calls and 1 feedback, and a
//! giant one of 100,000 messages.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use recap_events::{
    Change, FeedbackSubmitted, Message, Micros, Millis, RawJson, ToolCallFinished, ToolCallStarted, Usage,
};
use recap_summary::{Conversation, Delta};

struct Event {
    id: String,
    time: Micros,
    change: Change<'static>,
}

/// 2024-03-01T09:00:00Z
const BASE_MS: i64 = 1_709_283_600_000;

fn uuid(millis: i64, salt: u64) -> String {
    let random = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        millis >> 16,
        millis & 0xffff,
        random >> 52,
        random >> 40 & 0xfff,
        random & 0xffff_ffff_ffff,
    )
}

fn event(number: i64, salt: u64, change: Change<'static>) -> Event {
    let millis = BASE_MS + number * 4_321 + 3;
    Event {
        id: uuid(millis, salt),
        time: Micros(millis * 1_000),
        change,
    }
}

fn message(number: i64) -> Event {
    let created_at = BASE_MS + number * 4_321;
    let answer = number % 2 == 1;
    let salt = number.cast_unsigned() * 2;
    let message = Message {
        message_id: uuid(created_at, salt).into(),
        role: if answer { "assistant" } else { "user" }.into(),
        created_at: Millis(created_at),
        text: Some("What were the sales in the fourth quarter? ".repeat(8).into()),
        model: answer.then(|| "gpt-4".into()),
        finish_reason: answer.then(|| "stop".into()),
        usage: Usage {
            input_tokens: answer.then_some(1_234),
            output_tokens: answer.then_some(321),
            ..Usage::default()
        },
        attachment_count: None,
        user_id: Some("user_2aCmeAda".into()),
        agent_id: Some(12),
        upstream_conversation_id: None,
    };
    event(number, salt + 1, Change::Message(message))
}

fn tool_call(number: i64) -> [Event; 2] {
    let id = format!("call_{:024}", number * 0x1234_5678);
    let started = Change::ToolCallStarted(ToolCallStarted {
        tool_call_id: id.clone().into(),
        tool_name: "sql_query".into(),
        args: RawJson::parse(r#"{"query":"select region, sum(revenue) from q4 group by 1"}"#).ok(),
        message_id: None,
        started_at: None,
    });
    let finished = Change::ToolCallFinished(ToolCallFinished {
        tool_call_id: id.into(),
        tool_name: None,
        result: RawJson::parse(r#"{"rows":[["EMEA",41.5],["APAC",17]]}"#).ok(),
        error: None,
        finished_at: None,
    });
    let salt = 1_000_000 + number.cast_unsigned() * 2;
    [event(number, salt, started), event(number, salt + 1, finished)]
}

fn feedback(number: i64) -> Event {
    let salt = 2_000_000 + number.cast_unsigned() * 2;
    let submitted = Change::FeedbackSubmitted(FeedbackSubmitted {
        feedback_id: uuid(BASE_MS + number * 4_321, salt).into(),
        helpful: true,
        comment: Some("Better now".into()),
        message_id: None,
        user_id: Some("user_2aCmeAda".into()),
        created_at: None,
    });
    event(number, salt + 1, submitted)
}

fn usual() -> Vec<Event> {
    let mut events: Vec<Event> = (0..20).map(message).collect();
    events.extend([3, 7].into_iter().flat_map(tool_call));
    events.push(feedback(9));
    events
}

fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Delta {
    let mut delta = Delta::default();
    for event in events {
        delta.apply(&event.id, event.time, &event.change);
    }
    delta
}

fn stored(state: &Conversation) -> Conversation {
    let encoded = state.encode_whole();
    Conversation::decode(&encoded.main, &encoded.parts).unwrap_or_default()
}

fn small(criterion: &mut Criterion) {
    let events = usual();
    let state = fold(&events).state;
    let clean = stored(&state);
    let encoded = state.encode_whole();
    let next = message(20);
    let more = fold([&next]).state;
    let one = |of: fn(i64) -> Event| {
        let two = fold(&[of(1), of(2)]).state.encode_whole().main.len();
        let many: Vec<Event> = (1..=102).map(of).collect();
        (fold(&many).state.encode_whole().main.len() - two) / 100
    };
    let calls: Vec<Event> = (0..100).flat_map(tool_call).collect();
    println!(
        "bytes: usual state {}, message {}, tool call {}, feedback {}; memory of the usual state {}",
        encoded.main.len(),
        one(message),
        fold(&calls).state.encode_whole().main.len() / 100,
        one(feedback),
        size_of::<Conversation>() + clean.heap_bytes(),
    );

    let mut group = criterion.benchmark_group("usual");
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("fold", |b| b.iter(|| fold(black_box(&events))));
    group.throughput(Throughput::Elements(1));
    group.bench_function("apply_message", |b| {
        b.iter_batched_ref(
            || clean.clone(),
            |state| state.apply(&next.id, next.time, &next.change),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("apply_duplicate", |b| {
        let mut state = clean.clone();
        b.iter(|| state.apply(&events[7].id, events[7].time, &events[7].change));
    });
    group.bench_function("merge_one", |b| {
        b.iter_batched_ref(|| clean.clone(), |state| state.merge(&more), BatchSize::SmallInput);
    });
    group.bench_function("merge_itself", |b| {
        let mut mine = clean.clone();
        b.iter(|| mine.merge(black_box(&state)));
    });
    group.bench_function("merge_into_nothing", |b| {
        b.iter(|| {
            let mut mine = Conversation::default();
            mine.merge(black_box(&state));
            mine
        });
    });
    group.bench_function("encode", |b| b.iter(|| black_box(&state).encode()));
    group.bench_function("decode", |b| {
        b.iter(|| Conversation::decode(black_box(&encoded.main), &encoded.parts));
    });
    group.bench_function("columns", |b| b.iter(|| black_box(&state).columns()));
    group.finish();
}

fn giant(criterion: &mut Criterion) {
    let events: Vec<Event> = (0..100_000).map(message).collect();
    let state = fold(&events).state;
    let encoded = state.encode_whole();
    // Revisions, so that the state keeps its size.
    let mut number = 0;
    let mut next = || {
        number += 7_919;
        let (millis, salt) = (BASE_MS + 1_000_000_000 + number, number.cast_unsigned());
        Event {
            id: uuid(millis, salt),
            time: Micros(millis * 1_000),
            ..message(number % 100_000)
        }
    };

    let mut group = criterion.benchmark_group("giant");
    group.sample_size(20);
    group.bench_function("fold", |b| b.iter(|| fold(black_box(&events))));
    group.bench_function("decode", |b| {
        b.iter(|| Conversation::decode(black_box(&encoded.main), &encoded.parts));
    });
    let mut state = stored(&state);
    group.bench_function("apply_message", |b| {
        b.iter_batched(
            &mut next,
            |next| state.apply(&next.id, next.time, &next.change),
            BatchSize::SmallInput,
        );
    });
    state.mark_clean();
    group.bench_function("apply_encode_columns_clean", |b| {
        b.iter_batched(
            &mut next,
            |next| {
                state.apply(&next.id, next.time, &next.change);
                let written = (state.encode(), state.columns());
                state.mark_clean();
                written
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, small, giant);
criterion_main!(benches);
