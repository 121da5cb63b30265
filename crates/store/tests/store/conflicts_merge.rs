use recap_events::{Change, Message, Millis, RawJson, ToolCallFinished, ToolCallStarted, Usage};
use recap_store::{Base, Batch, Entry, Target};

use crate::support::{database, entry, table};

fn message<'a>(id: &'a str, at: i64, text: &'a str) -> Change<'a> {
    Change::Message(Message {
        message_id: id.into(),
        role: "user".into(),
        created_at: Millis(at),
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

fn started() -> Change<'static> {
    Change::ToolCallStarted(ToolCallStarted {
        tool_call_id: "call".into(),
        tool_name: "search".into(),
        args: Some(RawJson::parse("{\"q\":1.0}").unwrap()),
        message_id: None,
        started_at: None,
    })
}

fn finished() -> Change<'static> {
    Change::ToolCallFinished(ToolCallFinished {
        tool_call_id: "call".into(),
        tool_name: None,
        result: Some(RawJson::parse("[1e400]").unwrap()),
        error: None,
        finished_at: None,
    })
}

fn of(entry: Entry) -> Batch {
    Batch {
        conversations: vec![entry],
        ..Batch::default()
    }
}

/// Two writers that both believe the row absent: the second finds the first's row, and both are in it.
#[tokio::test]
async fn a_row_that_appeared_meanwhile_is_merged() {
    let database = database().await;
    let generation = database.live().await;
    let (one, two) = (&database.store, database.another_store());
    let mut first = entry("org", "c", "e1", 1_000_000, &message("m1", 1_000, "first"));
    let mut second = entry("org", "c", "e2", 2_000_000, &message("m2", 500, "earlier"));
    first.base = Base::Absent;
    second.base = Base::Absent;
    let (mut first, mut second) = (of(first), of(second));
    assert_eq!(
        one.flush(Target::Live(generation), &mut first).await.unwrap().conflicts,
        0
    );
    let report = two.flush(Target::Live(generation), &mut second).await.unwrap();
    assert_eq!((report.conflicts, report.written), (1, 1));

    let row: (i64, Option<String>) =
        sqlx::query_as("SELECT total_message_count, first_message_text FROM recap_g1.conversation_summary")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert_eq!(row, (2, Some("earlier".into())));
}

/// Halves of one call from two writers with stale states: neither overwrites the other's columns, and a
/// text that only the row holds survives.
#[tokio::test]
async fn halves_of_a_call_and_the_text_survive_stale_states() {
    let database = database().await;
    let generation = database.live().await;
    let (one, two) = (&database.store, database.another_store());
    let mut mine = of(entry("org", "c", "e1", 1_000_000, &message("m1", 1_000, "kept")));
    one.flush(Target::Live(generation), &mut mine).await.unwrap();
    let mut theirs = mine.clone();
    let at = recap_events::Micros;
    mine.conversations[0].delta.apply("e2", at(2_000_000), &started());
    theirs.conversations[0].delta.apply("e3", at(3_000_000), &finished());
    one.flush(Target::Live(generation), &mut mine).await.unwrap();
    let report = two.flush(Target::Live(generation), &mut theirs).await.unwrap();
    assert_eq!(report.conflicts, 1);

    let stored = table::read(&database.pool, generation).await;
    let call = stored.tool_calls.values().next().unwrap();
    assert_eq!(call.args.as_deref(), Some("{\"q\":1.0}"));
    assert_eq!(call.result.as_deref(), Some("[1e400]"));
    let text: Option<String> = sqlx::query_scalar("SELECT first_message_text FROM recap_g1.conversation_summary")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(text.as_deref(), Some("kept"));
}

/// A stale half must not come back over the newer one that another writer has written.
#[tokio::test]
async fn a_superseded_payload_of_a_stale_writer_is_dropped() {
    let database = database().await;
    let generation = database.live().await;
    let (one, two) = (&database.store, database.another_store());
    let mut base = of(entry("org", "c", "e1", 1_000_000, &message("m1", 1_000, "hi")));
    one.flush(Target::Live(generation), &mut base).await.unwrap();
    let mut stale = base.clone();
    let at = recap_events::Micros;
    base.conversations[0].delta.apply("e9", at(9_000_000), &finished());
    one.flush(Target::Live(generation), &mut base).await.unwrap();

    let older = Change::ToolCallFinished(ToolCallFinished {
        tool_call_id: "call".into(),
        tool_name: None,
        result: Some(RawJson::parse("\"old\"").unwrap()),
        error: None,
        finished_at: None,
    });
    stale.conversations[0].delta.apply("e5", at(5_000_000), &older);
    let report = two.flush(Target::Live(generation), &mut stale).await.unwrap();
    assert_eq!((report.conflicts, report.written, report.payloads), (1, 0, 0));
    let stored = table::read(&database.pool, generation).await;
    let call = stored.tool_calls.values().next().unwrap();
    assert_eq!(call.result.as_deref(), Some("[1e400]"));
}
