//! States as bytes: nothing lost, nothing believed.

use proptest::prelude::*;
use recap_events::Change;
use recap_summary::{Conversation, Encoded, FirstText, StateError};

use crate::{model::Event, streams::stream};

fn fold(part_bytes: usize, events: &[Event]) -> Conversation {
    let mut state = Conversation::with_part_bytes(part_bytes);
    for event in events {
        state.apply(&event.id, event.time, &event.change);
    }
    state
}

fn decode(encoded: &Encoded) -> Result<Conversation, StateError> {
    Conversation::decode(&encoded.main, &encoded.parts)
}

/// The versions that its bytes have.
fn versions(encoded: &Encoded) -> Vec<u8> {
    let parts = encoded.parts.iter().map(|(_, bytes)| bytes[0]);
    let mut versions: Vec<u8> = parts.chain([encoded.main[0]]).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// Whatever comes in: a state that can be worked with, in memory of its size, or a refusal.
fn survives(encoded: &Encoded) {
    let Ok(mut state) = decode(encoded) else {
        return;
    };
    let parts: usize = encoded.parts.iter().map(|(_, bytes)| bytes.len()).sum();
    let bytes = encoded.main.len() + parts;
    assert!(state.heap_bytes() < 4096 + 256 * encoded.parts.len() + 64 * bytes);
    assert_eq!(decode(&state.encode_whole()).as_ref(), Ok(&state));
    let _ = (state.columns(), state.first_text());
    let again = state.clone();
    state.merge(&again);
    assert!(!state.is_dirty());
}

#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), prop::sample::select(&[0, 1, 0x7f, 0x80, 0xff][..])).prop_map(|(at, to)| Damage::Set(at, to)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        at().prop_map(Damage::Cut),
        (at(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn apply(damage: &Damage, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Set(at, to) => *at.get_mut(bytes) = *to,
        Damage::Flip(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
    }
}

proptest! {
    #[test]
    fn a_state_survives_its_bytes(events in stream(), part_bytes in prop::sample::select(&[40, 300, 1 << 20][..])) {
        let state = fold(part_bytes, &events);
        let encoded = state.encode_whole();
        let mut shuffled = encoded.clone();
        shuffled.parts.reverse();
        let decoded = decode(&encoded).unwrap();
        prop_assert_eq!(&decoded, &state);
        prop_assert!(!decoded.is_dirty());
        prop_assert_eq!(decoded.columns(), state.columns());
        prop_assert_eq!(&decoded.encode_whole(), &encoded);
        prop_assert_eq!(decode(&shuffled).unwrap(), state.clone());
        let expected = match state.first_text() {
            FirstText::Set(Some(_)) => FirstText::Unchanged,
            other => other,
        };
        prop_assert_eq!(decoded.first_text(), expected);
        survives(&encoded);
    }

    /// The release before reads everything that it could have written itself.
    #[test]
    fn version_1_is_written_until_something_is_deleted(
        events in stream(),
        part_bytes in prop::sample::select(&[40, 1 << 20][..]),
    ) {
        let is_deletion = |event: &Event| {
            matches!(event.change, Change::MessageDeleted { .. } | Change::ToolCallDeleted { .. })
        };
        let (deletions, others): (Vec<_>, Vec<_>) = events.into_iter().partition(is_deletion);
        let mut state = fold(part_bytes, &others);
        prop_assert_eq!(versions(&state.encode_whole()), vec![1]);
        state.merge(&fold(part_bytes, &deletions));
        let call = deletions.iter().any(|event| matches!(event.change, Change::ToolCallDeleted { .. }));
        let versions = versions(&state.encode_whole());
        prop_assert!(versions == [1] && !call || versions == [2] || versions == [1, 2]);
    }

    #[test]
    fn any_bytes_decode_or_are_refused(
        mut main in prop::collection::vec(any::<u8>(), 0..200),
        parts in prop::collection::vec((0..4_u16, prop::collection::vec(any::<u8>(), 0..100)), 0..4),
        known in any::<bool>(),
    ) {
        if known && main.len() > 1 {
            main[0] = 1 + main[0] % 2;
            main[1] %= 3;
        }
        survives(&Encoded { main, part_count: 0, parts });
    }

    #[test]
    fn damaged_bytes_decode_or_are_refused(
        events in stream(),
        part_bytes in prop::sample::select(&[60, 1 << 20][..]),
        damages in prop::collection::vec((damage(), any::<Option<prop::sample::Index>>()), 1..4),
    ) {
        let mut encoded = fold(part_bytes, &events).encode_whole();
        for (damage, part) in damages {
            match part {
                Some(part) if !encoded.parts.is_empty() => {
                    let part = part.index(encoded.parts.len());
                    apply(&damage, &mut encoded.parts[part].1);
                }
                _ => apply(&damage, &mut encoded.main),
            }
        }
        survives(&encoded);
    }
}

#[test]
fn newer_versions_are_refused_by_name() {
    let newer = StateError::Newer { version: 3, newest: 2 };
    assert_eq!(Conversation::decode(&[3, 0, 0], &[]), Err(newer));
    assert_eq!(
        newer.to_string(),
        "the state has format version 3, this release reads up to 2"
    );
}

#[test]
fn version_1_has_no_deletions() {
    for change in [
        Change::MessageDeleted {
            message_id: "m1".into(),
        },
        Change::ToolCallDeleted {
            tool_call_id: "t1".into(),
        },
    ] {
        let mut state = Conversation::default();
        state.apply("e1", recap_events::Micros(0), &change);
        let mut encoded = state.encode_whole();
        assert_eq!(decode(&encoded), Ok(state));
        assert_eq!(std::mem::replace(&mut encoded.main[0], 1), 2);
        assert_eq!(decode(&encoded), Err(StateError::Corrupt("an unknown flag")));
    }
}

#[test]
fn parts_must_be_all_there_and_only_those() {
    let events: Vec<Event> = (0..8).map(crate::size::message).collect();
    let whole = fold(60, &events).encode_whole();
    assert!(whole.part_count > 1);
    assert!(decode(&whole).is_ok());

    let mut missing = whole.clone();
    missing.parts.pop();
    assert!(matches!(decode(&missing), Err(StateError::Corrupt(_))));

    let mut twice = missing.clone();
    twice.parts.push(twice.parts[0].clone());
    assert!(matches!(decode(&twice), Err(StateError::Corrupt(_))));

    let mut swapped = whole.clone();
    let (a, b) = (swapped.parts[0].0, swapped.parts[1].0);
    (swapped.parts[0].0, swapped.parts[1].0) = (b, a);
    assert!(matches!(decode(&swapped), Err(StateError::Corrupt(_))));

    let mut newer = whole.clone();
    newer.parts[0].1[0] = 9;
    assert_eq!(decode(&newer), Err(StateError::Newer { version: 9, newest: 2 }));
}
