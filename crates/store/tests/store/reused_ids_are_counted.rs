use recap_events::{Change, RawJson, ToolCallStarted};
use recap_store::{Batch, BatchBuilder, Target};

use crate::support::{database, entry};

/// A change, and the millisecond of its event.
type Timed = (i64, Change<'static>);

fn started(message: Option<&'static str>, args: &'static str) -> Change<'static> {
    Change::ToolCallStarted(ToolCallStarted {
        tool_call_id: "call_1".into(),
        tool_name: "search".into(),
        args: Some(RawJson::parse(args).unwrap()),
        message_id: message.map(Into::into),
        started_at: None,
    })
}

/// Flushes these, folded into one batch, and returns how many ids were used again.
async fn reused(store: &recap_store::Store, target: Target, changes: &[Timed]) -> u64 {
    let mut batch = Batch::default();
    for (time, change) in changes {
        batch
            .conversations
            .push(entry("org", "c", &time.to_string(), time * 1_000, change));
    }
    store.flush(target, &mut batch).await.unwrap().reused_ids
}

/// A started half counts when it takes the place of another message's, in a row or in the batch; a revision does not, nor does a repetition, nor
/// what is late.
#[tokio::test]
async fn a_tool_call_id_that_another_message_uses_again_is_counted_once() {
    let database = database().await;
    let live = Target::Live(database.live().await);
    let deleted = || Change::ToolCallDeleted {
        tool_call_id: "call_1".into(),
    };
    let steps: [(&str, u64, Vec<Timed>); 9] = [
        ("new", 0, vec![(1, started(Some("a"), "1"))]),
        ("a repetition", 0, vec![(1, started(Some("a"), "1"))]),
        ("a revision", 0, vec![(2, started(Some("a"), "2"))]),
        ("of another message", 1, vec![(5, started(Some("b"), "3"))]),
        ("repeated", 0, vec![(5, started(Some("b"), "3"))]),
        ("a late one", 0, vec![(4, started(Some("c"), "4"))]),
        (
            "two in a batch",
            2,
            vec![(6, started(Some("d"), "5")), (7, started(Some("e"), "6"))],
        ),
        ("of no message", 0, vec![(8, started(None, "7"))]),
        (
            "deleted in between",
            0,
            vec![
                (9, started(Some("f"), "8")),
                (10, deleted()),
                (11, started(Some("g"), "9")),
            ],
        ),
    ];
    for (step, expected, changes) in steps {
        assert_eq!(reused(&database.store, live, &changes).await, expected, "{step}");
    }
}

/// The state that a projector keeps knows the revision, but not whose it was.
#[tokio::test]
async fn a_kept_state_counts_the_same() {
    let database = database().await;
    let live = Target::Live(database.live().await);
    let mut known = None;
    for (time, message, expected) in [(1, "a", 0), (2, "a", 0), (3, "b", 1), (4, "a", 1)] {
        let mut builder = BatchBuilder::default();
        let event = recap_events::Event {
            id: time.to_string().into(),
            time: recap_events::Micros(time),
            org_id: "org".into(),
            body: recap_events::Body::Conversation {
                conversation_id: "c".into(),
                change: started(Some(message), "1"),
            },
        };
        builder.add_onto(&event, |_| known.take());
        let mut batch = builder.build();
        let report = database.store.flush(live, &mut batch).await.unwrap();
        assert_eq!(report.reused_ids, expected, "{time}");
        known = batch.conversations.pop().map(|entry| (entry.delta, entry.base));
    }
}
