//! Streams of events in which everything that can collide does: few ids, few times, few values.

use std::borrow::Cow;

use proptest::{prelude::*, sample::select};
use recap_events::{
    Change, ConversationFields, FeedbackSubmitted, Message, Micros, Millis, RawJson, ToolCallFinished, ToolCallStarted,
    Usage,
};

use crate::model::Event;

/// 2024-03-01T09:00:00Z
const BASE: i64 = 1_709_283_600_000_000;

/// Canonical UUIDs near and far from the times below, one in upper case, ULIDs near and far, near-ULIDs,
/// short and long texts, texts that sort between the packed forms.
const IDS: &[&str] = &[
    "018df94a-1e80-7000-8000-000000000001",
    "018df94a-1e80-7000-8000-000000000002",
    "018df94a-1e81-7000-8000-000000000001",
    "00000000-0000-0000-0000-000000000000",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "F47AC10B-58CC-4372-A567-0E02B2C3D479",
    "01HQWMM7M00000000000000001",
    "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    "a",
    "A",
    "a ",
    "m-101",
    "018df94a",
    "call_abcdefghijklmnopqr",
    "toolu_01A09q90qw90lq917835lq9",
    "é-ü-\u{10ffff}",
];

fn id() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        20 => select(&IDS[..6]).prop_map(Cow::Borrowed),
        20 => select(IDS).prop_map(Cow::Borrowed),
        1 => "[a-z]{255}".prop_map(Cow::Owned),
        1 => any::<u128>().prop_map(|id| {
            let id = format!("{id:032x}");
            Cow::Owned(format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]))
        }),
    ]
}

fn time() -> impl Strategy<Value = Micros> {
    prop_oneof![
        20 => select(&[0, 0, 0, 1, 999, 1_000, 1_001, 2_000, 60_000_000][..])
            .prop_map(|offset| Micros(BASE + offset)),
        1 => Just(Micros(0)),
        1 => Just(Micros::MAX),
        2 => (0..=Micros::MAX.0).prop_map(Micros),
    ]
}

fn millis() -> impl Strategy<Value = Millis> {
    prop_oneof![
        20 => select(&[-1, 0, 0, 0, 1, 2, 60_000][..]).prop_map(|offset| Millis(BASE / 1000 + offset)),
        1 => Just(Millis(0)),
        1 => Just(Millis::MAX),
    ]
}

fn text() -> impl Strategy<Value = Option<Cow<'static, str>>> {
    prop_oneof![
        3 => word(&["Hello", "Good bye", ""]).prop_map(Some),
        1 => Just(Some(Cow::Owned("x".repeat(300)))),
        1 => Just(None),
    ]
}

fn maybe<T: Clone + std::fmt::Debug + 'static>(
    of: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(of)
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = Cow<'static, str>> {
    select(words).prop_map(Cow::Borrowed)
}

fn owner() -> impl Strategy<Value = Cow<'static, str>> {
    word(&["user_ada", "user_lin", "f47ac10b-58cc-4372-a567-0e02b2c3d479"])
}

fn agent() -> impl Strategy<Value = i64> {
    select(&[0, -1, 12, (1 << 53) - 1, 1 - (1 << 53)][..])
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), 2..500_u32, Just(i32::MAX.unsigned_abs())]
}

fn json() -> impl Strategy<Value = RawJson<'static>> {
    select(&["{}", "null", "[1,2]", "\"text\"", "1e400"][..]).prop_map(|text| RawJson::parse(text).unwrap())
}

fn message() -> impl Strategy<Value = Change<'static>> {
    let usage = (maybe(count()), maybe(count()), maybe(count()));
    (
        (
            id(),
            word(&["user", "user", "assistant", "assistant", "system", "tool", "User"]),
        ),
        (millis(), text()),
        maybe(word(&["gpt-4", "gpt-5", "claude"])),
        maybe(word(&["stop", "length", ""])),
        (usage, maybe(count())),
        (maybe(owner()), maybe(agent()), maybe(id())),
    )
        .prop_map(
            |(who, (created_at, text), model, finish_reason, (usage, attachments), owner)| {
                Change::Message(Message {
                    message_id: who.0,
                    role: who.1,
                    created_at,
                    text,
                    model,
                    finish_reason,
                    usage: Usage {
                        input_tokens: usage.0,
                        output_tokens: usage.1,
                        total_tokens: usage.2,
                    },
                    attachment_count: attachments,
                    user_id: owner.0,
                    agent_id: owner.1,
                    upstream_conversation_id: owner.2,
                })
            },
        )
}

fn upserted() -> impl Strategy<Value = Change<'static>> {
    (maybe(owner()), maybe(agent()), maybe(id()), maybe(millis())).prop_map(
        |(user_id, agent_id, upstream_conversation_id, created_at)| {
            Change::Upserted(ConversationFields {
                user_id,
                agent_id,
                upstream_conversation_id,
                created_at,
            })
        },
    )
}

fn started() -> impl Strategy<Value = Change<'static>> {
    (
        id(),
        word(&["search", "sql"]),
        maybe(json()),
        maybe(id()),
        maybe(millis()),
    )
        .prop_map(|(tool_call_id, tool_name, args, message_id, started_at)| {
            Change::ToolCallStarted(ToolCallStarted {
                tool_call_id,
                tool_name,
                args,
                message_id,
                started_at,
            })
        })
}

fn finished() -> impl Strategy<Value = Change<'static>> {
    (
        id(),
        maybe(word(&["search", "sql"])),
        maybe(json()),
        maybe(json()),
        maybe(millis()),
    )
        .prop_map(|(tool_call_id, tool_name, result, error, finished_at)| {
            Change::ToolCallFinished(ToolCallFinished {
                tool_call_id,
                tool_name,
                result,
                error,
                finished_at,
            })
        })
}

fn submitted() -> impl Strategy<Value = Change<'static>> {
    (
        id(),
        any::<bool>(),
        text(),
        (maybe(id()), maybe(owner())),
        maybe(millis()),
    )
        .prop_map(|(feedback_id, helpful, comment, (message_id, user_id), created_at)| {
            Change::FeedbackSubmitted(FeedbackSubmitted {
                feedback_id,
                helpful,
                comment,
                message_id,
                user_id,
                created_at,
            })
        })
}

/// One event of any type.
pub fn event() -> BoxedStrategy<Event> {
    let change = prop_oneof![
        8 => message().boxed(),
        2 => upserted().boxed(),
        1 => Just(Change::Deleted),
        1 => Just(Change::Restored),
        2 => started().boxed(),
        2 => finished().boxed(),
        2 => submitted().boxed(),
        2 => id().prop_map(|feedback_id| Change::FeedbackWithdrawn { feedback_id }),
        2 => id().prop_map(|message_id| Change::MessageDeleted { message_id }),
        2 => id().prop_map(|tool_call_id| Change::ToolCallDeleted { tool_call_id }),
    ];
    (id(), time(), change)
        .prop_map(|(id, time, change)| Event {
            id: id.into_owned(),
            time,
            change,
        })
        .boxed()
}

/// The change with one field of the other, if they are alike.
fn altered(change: Change<'static>, other: Change<'static>) -> Change<'static> {
    match (change, other) {
        (Change::Message(mut message), Change::Message(other)) => {
            match &*other.role {
                "user" => message.text = other.text,
                "assistant" => message.model = other.model,
                _ => message.role = other.role,
            }
            Change::Message(message)
        }
        (Change::Message(mut message), _) => {
            message.text = Some("Hello".into());
            Change::Message(message)
        }
        (Change::FeedbackSubmitted(feedback), Change::FeedbackSubmitted(other)) => {
            Change::FeedbackSubmitted(FeedbackSubmitted {
                helpful: other.helpful,
                ..feedback
            })
        }
        (change, _) => change,
    }
}

/// The change that takes away what this one says.
fn removal(change: &Change<'static>) -> Change<'static> {
    match change.clone() {
        Change::Message(Message { message_id, .. }) => Change::MessageDeleted { message_id },
        Change::ToolCallStarted(ToolCallStarted { tool_call_id, .. })
        | Change::ToolCallFinished(ToolCallFinished { tool_call_id, .. }) => Change::ToolCallDeleted { tool_call_id },
        Change::FeedbackSubmitted(FeedbackSubmitted { feedback_id, .. }) => Change::FeedbackWithdrawn { feedback_id },
        change => change,
    }
}

/// A stream: events, revisions of events before them (same thing, another key or another content under the
/// same key), in any order.
pub fn stream() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((event(), event(), 0..12_u8), 0..24).prop_map(|pairs| {
        let mut events: Vec<Event> = Vec::new();
        for (event, other, kind) in pairs {
            let revised = match kind {
                // The same event id and time for another content.
                0 => Event {
                    id: event.id.clone(),
                    time: event.time,
                    change: other.change,
                },
                // The same change happens again.
                1 => Event {
                    change: event.change.clone(),
                    ..other
                },
                // A message loses its text, and is written at another time.
                2 => match (event.change.clone(), &other.change) {
                    (Change::Message(message), change) => {
                        let created_at = match change {
                            Change::Message(other) => other.created_at,
                            _ => message.created_at,
                        };
                        Event {
                            change: Change::Message(Message {
                                text: None,
                                created_at,
                                ..message
                            }),
                            ..other
                        }
                    }
                    _ => other,
                },
                // The same event says something a little different.
                3 => Event {
                    change: altered(event.change.clone(), other.change),
                    ..event.clone()
                },
                // What it says is taken away, by the same event or another.
                4 => Event {
                    change: removal(&event.change),
                    ..event.clone()
                },
                5 => Event {
                    change: removal(&event.change),
                    ..other
                },
                _ => other,
            };
            events.push(event);
            if kind < 6 {
                events.push(revised);
            }
        }
        events
    })
}

/// A stream, and all of its events again in another order with some of them twice.
pub fn stream_and_replay() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    stream().prop_flat_map(|events| {
        let again = prop::collection::vec(0..=events.len().max(1) - 1, 0..events.len() / 2 + 1);
        let all = events.clone();
        let replay = again.prop_flat_map(move |again| {
            let mut replay = all.clone();
            if !all.is_empty() {
                replay.extend(again.into_iter().map(|index| all[index].clone()));
            }
            Just(replay).prop_shuffle()
        });
        (Just(events), replay)
    })
}
