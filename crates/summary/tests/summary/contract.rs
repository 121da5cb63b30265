//! Single sentences of the contract, each as an example.

use recap_events::{Change, FeedbackSubmitted, Message, Micros, Millis, ToolCallFinished, ToolCallStarted, Usage};
use recap_summary::{Conversation, FirstText, ShownHalves};

const SECOND: i64 = 1_000_000;

fn message(id: &'static str, role: &'static str, created_s: i64, text: Option<&'static str>) -> Message<'static> {
    Message {
        message_id: id.into(),
        role: role.into(),
        created_at: Millis(created_s * 1_000),
        text: text.map(Into::into),
        model: None,
        finish_reason: None,
        usage: Usage::default(),
        attachment_count: None,
        user_id: None,
        agent_id: None,
        upstream_conversation_id: None,
    }
}

fn fold(events: &[(&str, i64, Change<'static>)]) -> Conversation {
    let mut state = Conversation::default();
    for (id, seconds, change) in events {
        state.apply(id, Micros(seconds * SECOND), change);
    }
    state
}

fn first_text(events: &[(&str, i64, Change<'static>)]) -> Option<String> {
    let forwards = fold(events);
    let mut reversed = events.to_vec();
    reversed.reverse();
    assert_eq!(forwards.first_text(), fold(&reversed).first_text());
    match forwards.first_text() {
        FirstText::Set(text) => text.map(ToOwned::to_owned),
        FirstText::Unchanged => panic!("a state that was never in a row holds its text"),
    }
}

#[test]
fn the_first_text_is_not_the_systems() {
    let text = first_text(&[
        (
            "a",
            1,
            Change::Message(message("m1", "system", 1, Some("You are helpful"))),
        ),
        ("b", 2, Change::Message(message("m2", "user", 2, Some("Hi")))),
    ]);
    assert_eq!(text.as_deref(), Some("Hi"));
}

#[test]
fn a_revision_redacts_the_first_text_for_good() {
    let mut events = vec![
        ("a", 1, Change::Message(message("m1", "user", 1, Some("secret")))),
        ("b", 2, Change::Message(message("m2", "user", 2, Some("Hi")))),
        ("c", 3, Change::Message(message("m1", "user", 1, None))),
    ];
    assert_eq!(first_text(&events), None);
    // A revision that is moved behind another message doesn't bring that one's text up.
    events[2].2 = Change::Message(message("m1", "user", 9, Some("later")));
    assert_eq!(first_text(&events), None);
    // A revision in the same place is the first text.
    events[2].2 = Change::Message(message("m1", "user", 1, Some("revised")));
    assert_eq!(first_text(&events).as_deref(), Some("revised"));
    // So is an earlier message that arrives late.
    events.push(("d", 4, Change::Message(message("m0", "tool", 0, Some("earliest")))));
    assert_eq!(first_text(&events).as_deref(), Some("earliest"));
}

#[test]
fn a_redacted_text_is_taken_out_of_the_row() {
    let stored = fold(&[("a", 1, Change::Message(message("m1", "user", 1, Some("secret"))))]);
    let encoded = stored.encode_whole();
    let mut stored = Conversation::decode(&encoded.main, &encoded.parts).unwrap();
    assert_eq!(stored.first_text(), FirstText::Unchanged);
    let redaction = fold(&[("b", 2, Change::Message(message("m1", "system", 1, Some("hidden"))))]);
    stored.merge(&redaction);
    assert!(stored.is_dirty());
    assert_eq!(stored.first_text(), FirstText::Set(None));
}

#[test]
fn no_other_event_resurrects() {
    let deleted = fold(&[
        ("b", 5, Change::Deleted),
        ("c", 4, Change::Restored),
        ("d", 9, Change::Message(message("m1", "user", 9, None))),
    ]);
    assert_eq!(deleted.columns().deleted_at, Some(Millis(5_000)));
    let restored = fold(&[("b", 5, Change::Restored), ("a", 5, Change::Deleted)]);
    assert_eq!(restored.columns().deleted_at, None);
}

#[test]
fn created_at_counts_superseded_revisions_and_every_event() {
    let state = fold(&[
        ("a", 10, Change::Message(message("m1", "user", 3, None))),
        ("b", 11, Change::Message(message("m1", "user", 8, None))),
        ("c", 5, Change::Deleted),
    ]);
    let columns = state.columns();
    assert_eq!(columns.created_at, Millis(3_000));
    assert_eq!(columns.updated_at, Millis(11_000));
    assert_eq!(columns.duration_ms, 0);
}

#[test]
fn withdrawing_wins_a_tie_and_resubmitting_later_wins_over_it() {
    let submitted = Change::FeedbackSubmitted(FeedbackSubmitted {
        feedback_id: "f-1".into(),
        helpful: true,
        comment: None,
        message_id: None,
        user_id: None,
        created_at: None,
    });
    let withdrawn = Change::FeedbackWithdrawn {
        feedback_id: "f-1".into(),
    };
    let mut events = vec![("a", 1, submitted.clone()), ("a", 1, withdrawn)];
    assert_eq!(fold(&events).columns().total_feedback, 0);
    events.push(("a", 2, submitted));
    events.rotate_left(1);
    assert_eq!(fold(&events).columns().total_helpful, 1);
}

#[test]
fn the_owner_is_the_conversations_own_word_before_any_messages() {
    let said_by = |user: &'static str| {
        Change::Message(Message {
            user_id: Some(user.into()),
            ..message("m1", "user", 1, None)
        })
    };
    let mut events = vec![("b", 2, said_by("late")), ("a", 1, said_by("early"))];
    assert_eq!(fold(&events).columns().user_id.as_deref(), Some("early"));
    let own = |user: &'static str| {
        Change::Upserted(recap_events::ConversationFields {
            user_id: Some(user.into()),
            ..Default::default()
        })
    };
    events.extend([("c", 0, own("first")), ("d", 3, own("last"))]);
    events.push(("e", 4, Change::Upserted(recap_events::ConversationFields::default())));
    assert_eq!(fold(&events).columns().user_id.as_deref(), Some("last"));
}

fn message_deleted(id: &'static str) -> Change<'static> {
    Change::MessageDeleted { message_id: id.into() }
}

#[test]
fn a_deleted_message_counts_nowhere_and_may_come_back() {
    let answer = Message {
        model: Some("gpt-5".into()),
        finish_reason: Some("stop".into()),
        usage: Usage {
            input_tokens: Some(3),
            ..Usage::default()
        },
        attachment_count: Some(2),
        ..message("m2", "assistant", 9, None)
    };
    let mut events = vec![
        ("a", 1, Change::Message(message("m1", "user", 1, Some("Hi")))),
        ("b", 2, Change::Message(answer.clone())),
        ("c", 3, message_deleted("m2")),
    ];
    let columns = fold(&events).columns();
    assert_eq!((columns.total_message_count, columns.assistant_message_count), (1, 0));
    assert_eq!(
        (columns.tokens.total, columns.attachment_count, columns.duration_ms),
        (0, 0, 0)
    );
    assert_eq!((columns.agent_model, columns.last_finish_reason), (None, None));
    assert_eq!(columns.updated_at, Millis(3_000));
    // An older revision does not bring it back, a later one does.
    events.push(("b2", 2, Change::Message(answer.clone())));
    assert_eq!(fold(&events).columns().total_message_count, 1);
    events.push(("d", 4, Change::Message(answer)));
    let columns = fold(&events).columns();
    assert_eq!((columns.total_message_count, columns.tokens.total), (2, 3));
    assert_eq!(columns.agent_model.as_deref(), Some("gpt-5"));
}

#[test]
fn deleting_the_first_message_ends_the_first_text() {
    let mut events = vec![
        ("a", 1, Change::Message(message("m1", "user", 1, Some("secret")))),
        ("b", 2, Change::Message(message("m2", "user", 2, Some("Hi")))),
        ("c", 3, message_deleted("m2")),
    ];
    assert_eq!(first_text(&events).as_deref(), Some("secret"));
    events.push(("a", 1, message_deleted("m1")));
    // Of an upsert and a deletion under one order key the deletion wins, and no other text comes up.
    assert_eq!(first_text(&events), None);
    events.push(("d", 4, Change::Message(message("m1", "user", 1, Some("again")))));
    assert_eq!(first_text(&events).as_deref(), Some("again"));
}

#[test]
fn a_deleted_text_is_taken_out_of_the_row() {
    let stored = fold(&[("a", 1, Change::Message(message("m1", "user", 1, Some("secret"))))]);
    let encoded = stored.encode_whole();
    let mut stored = Conversation::decode(&encoded.main, &encoded.parts).unwrap();
    stored.merge(&fold(&[("b", 1, message_deleted("m1"))]));
    assert!(stored.is_dirty());
    assert_eq!(stored.first_text(), FirstText::Set(None));
}

#[test]
fn a_half_is_shown_while_it_is_later_than_the_latest_deletion() {
    let started = Change::ToolCallStarted(ToolCallStarted {
        tool_call_id: "t1".into(),
        tool_name: "search".into(),
        args: None,
        message_id: None,
        started_at: None,
    });
    let finished = Change::ToolCallFinished(ToolCallFinished {
        tool_call_id: "t1".into(),
        tool_name: None,
        result: None,
        error: None,
        finished_at: None,
    });
    let deleted = Change::ToolCallDeleted {
        tool_call_id: "t1".into(),
    };
    let halves = |events: &[(&str, i64, Change<'static>)]| {
        let state = fold(events);
        let mut reversed = events.to_vec();
        reversed.reverse();
        assert_eq!(state, fold(&reversed));
        let ShownHalves { started, finished } = state.shown_halves("t1");
        (started, finished, state.columns().tool_call_count)
    };
    let mut events = vec![("a", 1, started.clone()), ("b", 3, finished), ("c", 2, deleted.clone())];
    assert_eq!(halves(&events), (false, true, 1));
    events.push(("b", 3, deleted));
    assert_eq!(halves(&events), (false, false, 0));
    events.push(("d", 4, started));
    assert_eq!(halves(&events), (true, false, 1));
}
