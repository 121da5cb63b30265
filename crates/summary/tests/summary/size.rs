//! What a state costs.

use recap_events::{Change, Message, Micros, Millis, Usage};
use recap_summary::Conversation;

use crate::model::Event;

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

/// A usual message: `UUIDv7` ids, every other one the assistant's.
pub fn message(number: i64) -> Event {
    let created_at = BASE_MS + number * 4_321;
    let answer = number % 2 == 1;
    let count = u32::try_from(number % 700).unwrap();
    Event {
        id: uuid(created_at + 3, number.cast_unsigned() * 2 + 1),
        time: Micros((created_at + 3) * 1_000),
        change: Change::Message(Message {
            message_id: uuid(created_at, number.cast_unsigned() * 2).into(),
            role: if answer { "assistant" } else { "user" }.into(),
            created_at: Millis(created_at),
            text: Some("What were the sales in the fourth quarter?".into()),
            model: answer.then(|| "gpt-4".into()),
            finish_reason: answer.then(|| "stop".into()),
            usage: Usage {
                input_tokens: answer.then_some(300 + count),
                output_tokens: answer.then_some(count),
                ..Usage::default()
            },
            attachment_count: None,
            user_id: Some("user_2aCmeAda".into()),
            agent_id: Some(12),
            upstream_conversation_id: None,
        }),
    }
}

fn apply(state: &mut Conversation, event: &Event) {
    state.apply(&event.id, event.time, &event.change);
}

#[test]
fn a_message_takes_less_than_40_bytes() {
    let mut state = Conversation::default();
    for number in 0..200 {
        apply(&mut state, &message(number));
    }
    let whole = state.encode_whole();
    let bytes = whole.main.len() + whole.parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(bytes < 200 * 40, "{bytes} bytes for 200 messages");
}

#[test]
fn an_event_of_a_giant_conversation_writes_one_part() {
    let mut state = Conversation::default();
    for number in 0..100_000 {
        apply(&mut state, &message(number));
    }
    let whole = state.encode_whole();
    let parts = whole.parts.iter().map(|(_, bytes)| bytes.len());
    assert_eq!(whole.part_count, 2_048);
    assert!(parts.clone().max().unwrap() < 4 * 1024);

    let mut state = Conversation::decode(&whole.main, &whole.parts).unwrap();
    let columns = state.columns();
    assert_eq!(columns.total_message_count, 100_000);
    apply(&mut state, &message(100_000));
    let encoded = state.encode();
    assert_eq!(encoded.parts.len(), 1);
    assert!(encoded.main.len() < 256);
    assert_eq!(state.columns().total_message_count, 100_001);
    assert_eq!(
        state.columns().tokens.total - columns.tokens.total,
        0,
        "an even message is the user's"
    );
}

#[test]
fn memory_is_estimated() {
    let mut state = Conversation::default();
    let empty = state.heap_bytes();
    for number in 0..1_000 {
        apply(&mut state, &message(number));
    }
    let per_message = (state.heap_bytes() - empty) / 1_000;
    assert!((90..300).contains(&per_message), "{per_message} bytes");
}
