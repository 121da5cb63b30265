//! Whatever happens to a stream on its way, the rows are the same, and they are what the contract says.

use proptest::prelude::*;
use recap_summary::{Conversation, Delta, Payload};

use crate::{
    model::{Event, show},
    streams::{event, stream, stream_and_replay},
    table::{Table, Writer},
};

/// Small enough that a handful of records splits; the second never splits here.
const PART_BYTES: [usize; 3] = [40, 200, 1 << 20];

fn fold(part_bytes: usize, events: &[Event]) -> Conversation {
    let mut state = Conversation::with_part_bytes(part_bytes);
    for event in events {
        state.apply(&event.id, event.time, &event.change);
    }
    state
}

fn delta(part_bytes: usize, events: &[Event]) -> Delta {
    let mut delta = Delta {
        state: Conversation::with_part_bytes(part_bytes),
        ..Delta::default()
    };
    for event in events {
        delta.apply(&event.id, event.time, &event.change);
    }
    delta
}

fn joined(a: &Conversation, b: &Conversation) -> Conversation {
    let mut joined = a.clone();
    joined.merge(b);
    joined
}

fn stored(state: &Conversation) -> Conversation {
    let encoded = state.encode_whole();
    Conversation::decode(&encoded.main, &encoded.parts).unwrap()
}

fn part_bytes() -> impl Strategy<Value = usize> {
    prop::sample::select(&PART_BYTES[..])
}

/// What happens to one of up to three writers.
#[derive(Debug, Clone)]
enum Step {
    /// Folds the next event.
    Fold(usize),
    Flush(usize),
    /// Loses what it folded since its last flush; those events are delivered again, to whoever is next.
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writer = 0..3_usize;
    prop::collection::vec(
        prop_oneof![
            6 => writer.clone().prop_map(Step::Fold),
            2 => writer.clone().prop_map(Step::Flush),
            1 => writer.prop_map(Step::Crash),
        ],
        0..80,
    )
}

fn run(part_bytes: usize, stream: &[Event], steps: &[Step]) -> Table {
    let mut table = Table::default();
    let mut writers = [part_bytes; 3].map(|bytes| (Writer::new(bytes), Vec::new()));
    let mut queue: std::collections::VecDeque<Event> = stream.iter().cloned().collect();
    for step in steps {
        match *step {
            Step::Fold(writer) => {
                if let Some(event) = queue.pop_front() {
                    let (writer, unwritten) = &mut writers[writer];
                    writer.delta.apply(&event.id, event.time, &event.change);
                    unwritten.push(event);
                }
            }
            Step::Flush(writer) => {
                let (writer, unwritten) = &mut writers[writer];
                writer.flush(&mut table);
                unwritten.clear();
            }
            Step::Crash(writer) => {
                let (writer, unwritten) = &mut writers[writer];
                writer.crash();
                queue.extend(unwritten.drain(..));
            }
        }
    }
    for event in queue {
        writers[0].0.delta.apply(&event.id, event.time, &event.change);
    }
    for (writer, _) in &mut writers {
        writer.flush(&mut table);
    }
    table
}

proptest! {
    /// Laws 1 to 5 and the contract's table, through the bytes of the row, with three writers.
    #[test]
    fn rows_are_what_the_contract_says(
        (events, delivered) in stream_and_replay(),
        steps in steps(),
        bytes in part_bytes(),
    ) {
        let table = run(bytes, &delivered, &steps);
        prop_assert_eq!(table.load(), fold(bytes, &events));
        if !events.is_empty() {
            prop_assert_eq!(table.shown(), show(&events));
        }
    }

    /// Law 4: a second delivery of everything, to a writer that starts anew, writes nothing.
    #[test]
    fn a_replay_writes_nothing(
        (events, delivered) in stream_and_replay(),
        steps in steps(),
        bytes in part_bytes(),
    ) {
        let mut table = run(bytes, &events, &steps);
        let before = table.clone();
        let mut writer = Writer::new(PART_BYTES[2]);
        for event in &delivered {
            writer.delta.apply(&event.id, event.time, &event.change);
        }
        let mut state = table.load();
        writer.delta.payloads.retain_unknown_to(&state);
        prop_assert!(writer.delta.payloads.is_empty());
        state.merge(&writer.delta.state);
        prop_assert!(!state.is_dirty());
        writer.flush(&mut table);
        prop_assert_eq!(before.revision, table.revision);
    }

    #[test]
    fn order_and_duplicates_change_nothing(
        (events, delivered) in stream_and_replay(),
        bytes in part_bytes(),
    ) {
        let (a, b) = (delta(bytes, &events), delta(bytes, &delivered));
        prop_assert_eq!(&a.state, &b.state);
        prop_assert_eq!(a.state.columns(), b.state.columns());
        prop_assert_eq!(a.state.first_text(), b.state.first_text());
        prop_assert_eq!(a.state.encode_whole(), b.state.encode_whole());
        prop_assert_eq!(a, b);
    }

    #[test]
    fn batches_change_nothing(
        events in stream(),
        cuts in prop::collection::vec(0..24_usize, 0..4),
        bytes in part_bytes(),
    ) {
        let whole = delta(bytes, &events);
        let mut joined = delta(bytes, &[]);
        let mut rest = &events[..];
        for cut in cuts {
            let (batch, tail) = rest.split_at(cut.min(rest.len()));
            joined.merge(delta(bytes, batch));
            rest = tail;
        }
        joined.merge(delta(bytes, rest));
        prop_assert_eq!(whole.state.first_text(), joined.state.first_text());
        prop_assert_eq!(whole.state.encode_whole(), joined.state.encode_whole());
        prop_assert_eq!(whole, joined);
    }

    #[test]
    fn merge_is_idempotent(events in stream(), bytes in part_bytes()) {
        let state = fold(bytes, &events);
        prop_assert_eq!(joined(&state, &state), state.clone());
        prop_assert_eq!(joined(&Conversation::default(), &state), state.clone());
        prop_assert_eq!(joined(&state, &Conversation::default()), state);
    }

    #[test]
    fn merge_is_commutative(a in stream(), b in stream(), bytes in (part_bytes(), part_bytes())) {
        let (a, b) = (fold(bytes.0, &a), fold(bytes.1, &b));
        let (ab, ba) = (joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(ab.columns(), ba.columns());
        prop_assert_eq!(ab.first_text(), ba.first_text());
        prop_assert_eq!(ab, ba);
    }

    #[test]
    fn merge_is_associative(a in stream(), b in stream(), c in stream(), bytes in part_bytes()) {
        let (a, b, c) = (fold(bytes, &a), stored(&fold(40, &b)), fold(bytes, &c));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
    }

    /// Three writers that never see each other's rows before the end, with bytes in between.
    #[test]
    fn splitting_over_writers_changes_nothing(
        events in prop::collection::vec((event(), 0..3_usize), 0..40),
        bytes in part_bytes(),
    ) {
        let all: Vec<Event> = events.iter().map(|(event, _)| event.clone()).collect();
        let mut merged = Conversation::default();
        for writer in 0..3 {
            let share: Vec<Event> = events
                .iter()
                .filter(|(_, to)| *to == writer)
                .map(|(event, _)| event.clone())
                .collect();
            merged.merge(&stored(&fold(bytes, &share)));
            merged = stored(&merged);
        }
        prop_assert_eq!(&merged, &fold(bytes, &all));
        prop_assert_eq!(merged.columns(), fold(bytes, &all).columns());
    }

    /// Dirty says exactly whether anything changed, part by part.
    #[test]
    fn dirt_is_exact(a in stream(), b in stream(), bytes in part_bytes()) {
        let before = stored(&fold(bytes, &a));
        prop_assert!(!before.is_dirty());
        prop_assert!(before.encode().parts.is_empty());

        let mut merged = before.clone();
        merged.merge(&fold(bytes, &b));
        prop_assert_eq!(merged.is_dirty(), merged != before);

        let old = before.encode_whole();
        let (new, whole) = (merged.encode(), merged.encode_whole());
        prop_assert_eq!(&new.main, &whole.main);
        let changed: Vec<_> = whole
            .parts
            .into_iter()
            .filter(|part| old.part_count != new.part_count || !old.parts.contains(part))
            .collect();
        prop_assert_eq!(new.parts, changed);

        let mut state = before.clone();
        for event in &b {
            let old = state.clone();
            state.mark_clean();
            prop_assert!(state.encode().parts.is_empty());
            state.apply(&event.id, event.time, &event.change);
            prop_assert_eq!(state.is_dirty(), state != old);
        }
    }

    /// A payload is handed out exactly when its revision became current, and the last one stays so.
    #[test]
    fn payloads_follow_the_state(events in stream(), bytes in part_bytes()) {
        let mut state = Conversation::with_part_bytes(bytes);
        let mut handed_out = Vec::new();
        for event in &events {
            let before = state.clone();
            if let Some(payload) = state.apply(&event.id, event.time, &event.change) {
                prop_assert!(state.is_current(&payload) && !before.knows(&payload));
                handed_out.push(payload);
            }
            prop_assert_eq!(state.apply(&event.id, event.time, &event.change), None);
        }
        prop_assert!(handed_out.iter().all(|payload| state.knows(payload)));
        let mut pending = delta(bytes, &events).payloads;
        let count = pending.len();
        let heap_bytes: usize = pending.iter().map(Payload::heap_bytes).sum();
        prop_assert_eq!(pending.heap_bytes(), heap_bytes);
        pending.retain_current(&state);
        prop_assert_eq!(pending.len(), count);
        pending.retain_unknown_to(&state);
        prop_assert!(pending.is_empty() && pending.heap_bytes() == 0);
    }
}
