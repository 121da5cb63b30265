use std::{collections::BTreeMap, sync::Arc};

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use recap_events::{
    Change, FeedbackSubmitted, Message, Micros, Millis, RawJson, ToolCallFinished, ToolCallStarted, Usage, UserProfile,
};
use recap_store::{Batch, Entry, GenerationId, Store, Target, UserWrite};
use recap_testing::TestDatabase;

use crate::support::{batch, database, entry, fold, log, table};

/// Makes a generation live that holds the same events as the one before, which is kept. Returns both.
async fn rebuild(database: &TestDatabase<'_>, events: &Batch) -> (GenerationId, GenerationId) {
    let kept = database.live().await;
    let live = database.store.create_generation().await.unwrap();
    let mut events = events.clone();
    database.store.flush(Target::Building(live), &mut events).await.unwrap();
    database.store.create_indexes(live).await.unwrap();
    database.store.switch_generation(kept, live, &[], &[]).await.unwrap();
    (kept, live)
}

/// Whatever events come after a switch, in whatever order, by two projectors with states as stale as they get: all that is readable in the
/// kept generation is readable in the live one. And a rollback, which reads those events again, gives the rows of all events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_readable_in_a_kept_generation_that_is_not_in_the_live_one() {
    for seed in 0..3 {
        let database = database().await;
        let mut values = log(40 + seed, 2_400);
        values.shuffle(&mut StdRng::seed_from_u64(seed));
        let (before, after) = values.split_at(1_400);
        let old = batch(before);
        database
            .store
            .flush(Target::Live(database.live().await), &mut old.clone())
            .await
            .unwrap();
        let (kept, live) = rebuild(&database, &old).await;
        let at_the_switch = table::readable(&database.pool, kept).await;

        let after = Arc::new(after.to_vec());
        let writers = [0, 1].map(|writer| {
            let chunks: Vec<usize> = (0..after.len()).filter(|index| index % 2 == writer).collect();
            tokio::spawn(write(database.another_store(), live, Arc::clone(&after), chunks))
        });
        for writer in writers {
            writer.await.unwrap();
        }
        let in_live = table::readable(&database.pool, live).await;
        let is_gone = |(place, value): &(&table::Place, &String)| in_live.get(*place) != Some(*value);
        let erased = at_the_switch.iter().filter(is_gone).count();
        assert!(erased > 60, "only {erased} texts were erased: nothing was proved");
        let in_kept = table::readable(&database.pool, kept).await;
        assert_eq!(in_kept.iter().filter(is_gone).collect::<Vec<_>>(), [], "seed {seed}");

        let mut missed = batch(after.iter());
        database.store.flush(Target::Building(kept), &mut missed).await.unwrap();
        let rows = fold::tables(&batch(&values));
        assert_eq!(table::read(&database.pool, kept).await, rows, "seed {seed}");
        assert_eq!(table::read(&database.pool, live).await, rows, "seed {seed}");
    }
}

/// Keeps every state it ever saw, however stale.
async fn write(store: Store, live: GenerationId, values: Arc<Vec<Vec<u8>>>, mine: Vec<usize>) {
    let mut known: BTreeMap<_, Entry> = BTreeMap::new();
    for chunk in mine.chunks(40) {
        let mut batch = batch(chunk.iter().map(|index| &values[*index]));
        for entry in &mut batch.conversations {
            if let Some(mut old) = known.remove(&entry.key) {
                old.delta.merge(std::mem::take(&mut entry.delta));
                *entry = old;
            }
        }
        store.flush(Target::Live(live), &mut batch).await.unwrap();
        known.extend(batch.conversations.into_iter().map(|entry| (entry.key.clone(), entry)));
    }
}

const SECRET: &str = "Sesam-1001";

fn message(id: &'static str, at: i64, text: &'static str) -> Change<'static> {
    Change::Message(Message {
        message_id: id.into(),
        role: "assistant".into(),
        created_at: Millis(at),
        text: Some(text.into()),
        model: Some(text.into()),
        finish_reason: Some(text.into()),
        usage: Usage::default(),
        attachment_count: None,
        user_id: None,
        agent_id: None,
        upstream_conversation_id: None,
    })
}

fn called(text: &'static str) -> [Change<'static>; 2] {
    let json = || Some(RawJson::parse(text).unwrap());
    let started = ToolCallStarted {
        tool_call_id: "call".into(),
        tool_name: text.into(),
        args: json(),
        message_id: None,
        started_at: None,
    };
    let finished = ToolCallFinished {
        tool_call_id: "call".into(),
        tool_name: Some(text.into()),
        result: json(),
        error: json(),
        finished_at: None,
    };
    [Change::ToolCallStarted(started), Change::ToolCallFinished(finished)]
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

fn user(event_id: &str, time: i64, name: Option<&str>) -> Batch {
    let profile = name.map(|name| UserProfile {
        first_name: Some(name.into()),
        ..UserProfile::default()
    });
    let write = UserWrite::new("org", "ada", event_id, Micros(time), profile.as_ref());
    Batch {
        users: vec![write],
        ..Batch::default()
    }
}

fn of(event_id: &str, time: i64, changes: &[Change<'_>]) -> Batch {
    let entries = changes.iter().enumerate().map(|(n, change)| {
        let id = format!("{event_id}-{n}");
        entry("org", "c", &id, time, change)
    });
    Batch {
        conversations: entries.collect(),
        ..Batch::default()
    }
}

/// Each way to take content away: afterwards no column of the kept generation has it, the states included.
#[tokio::test]
async fn no_column_of_a_kept_generation_has_the_bytes_of_what_was_erased() {
    let quoted: &'static str = "\"Sesam-1001\"";
    let call = called(quoted);
    let deleted = Change::ToolCallDeleted {
        tool_call_id: "call".into(),
    };
    let cases: Vec<(&str, Batch, Batch)> = vec![
        (
            "the first message is redacted",
            of("a", 1, &[message("m", 5, SECRET)]),
            of("b", 2, &[message("m", 5, "[redacted]")]),
        ),
        (
            "and is of a later time",
            of("a", 1, &[message("m", 5, SECRET)]),
            of("b", 2, &[message("m", 6, "[redacted]")]),
        ),
        (
            "the first message is deleted",
            of("a", 1, &[message("m", 5, SECRET)]),
            of("b", 2, &[Change::MessageDeleted { message_id: "m".into() }]),
        ),
        (
            "another message is deleted",
            of("a", 1, &[message("l", 4, "hi"), message("m", 5, SECRET)]),
            of("b", 2, &[Change::MessageDeleted { message_id: "m".into() }]),
        ),
        (
            "another message is revised",
            of("a", 1, &[message("l", 4, "hi"), message("m", 5, SECRET)]),
            of("b", 2, &[message("m", 5, "[redacted]")]),
        ),
        (
            "an earlier message is first, then the one that was is redacted",
            of("a", 1, &[message("m", 5, SECRET)]),
            of("b", 2, &[message("l", 4, "hi"), message("m", 5, "[redacted]")]),
        ),
        ("the call is deleted", of("a", 1, &call), of("b", 2, &[deleted])),
        ("the call is revised", of("a", 1, &call), of("b", 2, &called("0"))),
        (
            "the feedback is withdrawn",
            of("a", 1, &[feedback(SECRET)]),
            of(
                "b",
                2,
                &[Change::FeedbackWithdrawn {
                    feedback_id: "f".into(),
                }],
            ),
        ),
        (
            "the feedback is revised",
            of("a", 1, &[feedback(SECRET)]),
            of("b", 2, &[feedback("better")]),
        ),
        ("the user is deleted", user("a", 1, Some(SECRET)), user("b", 2, None)),
        (
            "the user is renamed",
            user("a", 1, Some(SECRET)),
            user("b", 2, Some("Ada")),
        ),
    ];
    for (case, before, after) in cases {
        let database = database().await;
        let first = database.live().await;
        database
            .store
            .flush(Target::Live(first), &mut before.clone())
            .await
            .unwrap();
        let (kept, live) = rebuild(&database, &before).await;
        assert!(!database.columns_with(kept, SECRET).await.is_empty(), "{case}");
        database
            .store
            .flush(Target::Live(live), &mut after.clone())
            .await
            .unwrap();
        for generation in [live, kept] {
            let columns = database.columns_with(generation, SECRET).await;
            assert!(columns.is_empty(), "{case}: generation {generation}: {columns:?}");
        }
        database
            .store
            .flush(Target::Building(kept), &mut after.clone())
            .await
            .unwrap();
        let rows = table::read(&database.pool, live).await;
        assert_eq!(table::read(&database.pool, kept).await, rows, "{case}");
    }
}

/// A deleted conversation can be restored with all it had: the live generation keeps that, and so does the kept one.
#[tokio::test]
async fn a_deleted_conversation_keeps_its_content_everywhere() {
    let database = database().await;
    let first = database.live().await;
    let before = of("a", 1, &[message("m", 5, SECRET)]);
    database
        .store
        .flush(Target::Live(first), &mut before.clone())
        .await
        .unwrap();
    let (kept, live) = rebuild(&database, &before).await;
    let deleted = of("b", 2, &[Change::Deleted]);
    database
        .store
        .flush(Target::Live(live), &mut deleted.clone())
        .await
        .unwrap();
    database
        .store
        .flush(Target::Building(kept), &mut deleted.clone())
        .await
        .unwrap();
    let rows = table::read(&database.pool, live).await;
    assert_eq!(table::read(&database.pool, kept).await, rows);
    assert_eq!(table::readable(&database.pool, kept).await.len(), 1);
}

/// New messages, calls, feedback and profiles, duplicates and late ones too, leave the kept generation unwritten and unread.
#[tokio::test]
async fn what_erases_nothing_costs_nothing() {
    let database = database().await;
    let first = database.live().await;
    let [started, finished] = called("1");
    let mut before = of("a", 1, &[message("m", 5, "hi"), started.clone(), feedback("good")]);
    before.users = user("a", 1, Some("Ada")).users;
    database
        .store
        .flush(Target::Live(first), &mut before.clone())
        .await
        .unwrap();
    let (kept, live) = rebuild(&database, &before).await;
    let rename = format!("ALTER SCHEMA {} RENAME TO out_of_reach", kept.schema());
    sqlx::query(sqlx::AssertSqlSafe(rename))
        .execute(&database.pool)
        .await
        .unwrap();

    let mut ordinary = of("b", 2, &[message("n", 6, "there"), finished, Change::Restored]);
    ordinary.conversations.append(&mut before.conversations);
    ordinary.users = before.users;
    database.store.flush(Target::Live(live), &mut ordinary).await.unwrap();
    let mut erasing = of("c", 3, &[feedback("bad")]);
    let erased = database.store.flush(Target::Live(live), &mut erasing).await;
    assert!(erased.is_err(), "the kept generation is out of reach");
}
