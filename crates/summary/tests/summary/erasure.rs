//! What is taken away from one copy of a row is taken from another that nobody else writes, and that copy can go on from where it was.

use proptest::prelude::*;
use recap_events::{Change, FeedbackSubmitted, Message, Micros, Millis, Usage};
use recap_summary::Delta;

use crate::{
    model::Event,
    streams::stream_and_replay,
    table::{Table, Writer},
};

const PART_BYTES: usize = 200;

fn apply(delta: &mut Delta, events: &[Event]) {
    for event in events {
        delta.apply(&event.id, event.time, &event.change);
    }
}

/// Writes these events, in one flush.
fn write(table: &mut Table, events: &[Event]) {
    let mut writer = Writer::new(PART_BYTES);
    apply(&mut writer.delta, events);
    writer.flush(table);
}

proptest! {
    #[test]
    fn the_copy_has_no_content_that_the_row_has_not((_, delivered) in stream_and_replay(), flushes in prop::collection::vec((0..3_usize, 1..6_usize), 1..40), split in 0.0..1.0_f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a short stream")]
        let (before, after) = delivered.split_at((delivered.len() as f64 * split) as usize);
        let (mut row, mut copy) = (Table::default(), Table::default());
        write(&mut row, before);
        write(&mut copy, before);
        let mut writers = [PART_BYTES; 3].map(Writer::new);
        let mut rest = after;
        // What is left goes to the last of them.
        for (writer, few) in flushes.into_iter().chain([(2, usize::MAX)]) {
            let (now, later) = rest.split_at(few.min(rest.len()));
            rest = later;
            let writer = &mut writers[writer];
            apply(&mut writer.delta, now);
            if let Some(erasing) = writer.flush(&mut row) && copy.revision > 0 {
                let mut elsewhere = Writer::new(PART_BYTES);
                elsewhere.delta = erasing;
                elsewhere.flush(&mut copy);
            }
            let (shown, copied) = (row.readable(), copy.readable());
            for (place, content) in &copied {
                prop_assert_eq!(shown.get(place), Some(content), "{}", place);
            }
        }
        if copy.revision > 0 {
            write(&mut copy, after);
            prop_assert_eq!(copy.load(), row.load());
            prop_assert_eq!(copy.shown(), row.shown());
        }
    }
}

fn message(id: &'static str, created_at: i64, text: &'static str) -> Change<'static> {
    Change::Message(Message {
        message_id: id.into(),
        role: "user".into(),
        created_at: Millis(created_at),
        text: Some(text.into()),
        model: None,
        finish_reason: None,
        usage: Usage::default(),
        attachment_count: None,
        user_id: None,
        agent_id: None,
        upstream_conversation_id: None,
    })
}

fn feedback(comment: &'static str) -> Change<'static> {
    Change::FeedbackSubmitted(FeedbackSubmitted {
        feedback_id: "f".into(),
        helpful: true,
        comment: Some(comment.into()),
        message_id: None,
        user_id: None,
        created_at: None,
    })
}

/// Whether each of these events, flushed alone after those before it, erases something.
#[test]
fn only_what_takes_content_away_erases() {
    let steps: [(i64, Change<'static>, bool); 10] = [
        (1, message("b", 10, "first"), false),
        (1, message("b", 10, "first"), false),
        (2, message("c", 20, "second"), false),
        (3, message("c", 20, "second, at length"), false),
        (4, feedback("good"), false),
        (3, feedback("an older revision"), false),
        (5, feedback("bad"), true),
        (6, message("a", 5, "earlier"), true),
        (7, message("a", 5, "[redacted]"), true),
        (8, Change::MessageDeleted { message_id: "c".into() }, true),
    ];
    for known in [false, true] {
        let mut row = Table::default();
        let mut writer = Writer::new(PART_BYTES);
        for (time, change, erases) in &steps {
            if !known {
                writer.crash();
            }
            writer.delta.apply(&time.to_string(), Micros(*time), change);
            assert_eq!(writer.flush(&mut row).is_some(), *erases, "{change:?}, known: {known}");
        }
    }
}
