use recap_events::{Change, Message, Millis, Usage};
use recap_store::{Batch, BatchBuilder, Looks, Store, StoreOptions, Target};
use recap_testing::{PostgresServer, TestDatabase};
use sqlx::AssertSqlSafe;

use crate::support::{batch, database, entry, event, fold::tables, log, table};

/// Rows whose listed columns say something else than the row, and how many rows are busy.
async fn state(database: &TestDatabase<'_>) -> (i64, i64) {
    let statement = "SELECT count(*) FILTER (WHERE listed_recency IS NOT NULL AND \
         (listed_recency, listed_messages, listed_duration_ms, listed_total_tokens, listed_input_tokens, listed_output_tokens, \
          listed_tool_calls, listed_feedback, listed_helpful, listed_not_helpful, listed_agent_model, listed_finish_reason) \
         IS DISTINCT FROM \
         (recency, total_message_count, duration_ms, total_tokens, input_tokens, output_tokens, tool_call_count, total_feedback, \
          total_helpful, total_not_helpful, agent_model, last_finish_reason)), \
         count(*) FILTER (WHERE listed_recency IS NULL AND deleted_at IS NULL) FROM recap_g1.conversation_summary";
    sqlx::query_as(AssertSqlSafe(statement))
        .fetch_one(&database.pool)
        .await
        .unwrap()
}

/// What is written becomes busy, what nothing is written to is listed after two looks, and a write that comes between is not lost.
#[tokio::test]
async fn what_nothing_is_written_to_is_listed() {
    let database = database().await;
    let generation = database.live().await;
    let values = log(9, 3_000);
    let target = Target::Live(generation);
    database
        .store
        .flush(target, &mut batch(&values[..2_000]))
        .await
        .unwrap();
    let (wrong, busy) = state(&database).await;
    assert!(wrong == 0 && busy > 100, "{wrong} {busy}");

    let mut looks = Looks::default();
    let first = database
        .store
        .list_quiet(generation, &mut looks)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((i64::try_from(first.busy).unwrap(), first.listed), (busy, 0));
    // Some are written again between the looks.
    database
        .store
        .flush(target, &mut batch(&values[1_900..2_050]))
        .await
        .unwrap();
    let second = database
        .store
        .list_quiet(generation, &mut looks)
        .await
        .unwrap()
        .unwrap();
    let (wrong, still_busy) = state(&database).await;
    assert_eq!(wrong, 0);
    assert!(
        second.listed > 0 && still_busy > 0 && still_busy < busy,
        "{second:?} {still_busy}"
    );
    for _ in 0..2 {
        database.store.list_quiet(generation, &mut looks).await.unwrap();
    }
    assert_eq!(state(&database).await, (0, 0));
    // The rows are those of the fold whatever happened to the listed columns, and a listed one becomes busy again.
    database
        .store
        .flush(target, &mut batch(&values[2_000..]))
        .await
        .unwrap();
    let (wrong, busy) = state(&database).await;
    assert!(wrong == 0 && busy > 0);
}

/// While several writers write and two processes look, every listed row says what the row says, and at last all are listed.
#[tokio::test(flavor = "multi_thread")]
async fn writers_and_lookers_do_not_disturb_each_other() {
    let database = database().await;
    let generation = database.live().await;
    let values = log(10, 6_000);
    let store = |name: &str| {
        let mut options = StoreOptions::new(database.url.clone(), name);
        options.max_connections = 2;
        Store::new(&options).unwrap()
    };
    let writers = (0..3).map(|number| {
        let (store, values) = (store("writer"), values.clone());
        tokio::spawn(async move {
            for chunk in values.chunks(50).skip(number).step_by(2) {
                let mut builder = BatchBuilder::default();
                for value in chunk {
                    builder.add(&event(value));
                }
                let mut batch: Batch = builder.build();
                store.flush(Target::Live(generation), &mut batch).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let lookers: Vec<_> = (0..2)
        .map(|_| {
            let store = store("looker");
            tokio::spawn(async move {
                let (mut looks, mut listed) = (Looks::default(), 0);
                for _ in 0..200 {
                    if let Some(found) = store.list_quiet(generation, &mut looks).await.unwrap() {
                        listed += found.listed;
                    }
                }
                listed
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut listed = 0;
    for looker in lookers {
        listed += looker.await.unwrap();
    }
    assert!(listed > 0, "nothing was proved");
    let mut looks = Looks::default();
    for _ in 0..2 {
        database.store.list_quiet(generation, &mut looks).await.unwrap();
    }
    assert_eq!(state(&database).await, (0, 0));
    let expected = tables(&batch(&values));
    assert_eq!(table::read(&database.pool, generation).await, expected);
}

/// A message of this number in each of so many conversations of the organization `org`.
fn messages(prefix: &str, conversations: usize, message: usize) -> Batch {
    let mut batch = Batch::default();
    for conversation in 0..conversations {
        let created_at = Millis(i64::try_from(message).unwrap());
        let change = Change::Message(Message {
            message_id: format!("m{message}").into(),
            role: "user".into(),
            created_at,
            text: None,
            model: None,
            finish_reason: None,
            usage: Usage::default(),
            attachment_count: None,
            user_id: Some("user".into()),
            agent_id: Some(1),
            upstream_conversation_id: None,
        });
        let (id, event_id) = (format!("{prefix}{conversation:04}"), format!("e{message}"));
        batch
            .conversations
            .push(entry("org", &id, &event_id, 1_000_000 * created_at.0 + 1, &change));
    }
    batch
}

/// Of several processes one looks. The others count, or each of them would make as many busy as one may.
#[tokio::test]
async fn a_process_that_does_not_look_counts_what_others_made_busy() {
    let database = database().await;
    let generation = database.live().await;
    let target = Target::Live(generation);
    let process = || Store::new(&StoreOptions::new(database.url.clone(), "process")).unwrap();
    for prefix in ["a", "b", "c"] {
        process().flush(target, &mut messages(prefix, 2_000, 0)).await.unwrap();
    }
    assert_eq!(state(&database).await, (0, 6_000));
    let mut another = database.pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(x'72656361706c6973'::bigint)")
        .execute(&mut *another)
        .await
        .unwrap();
    let late = process();
    assert_eq!(late.list_quiet(generation, &mut Looks::default()).await.unwrap(), None);
    late.flush(target, &mut messages("late", 300, 0)).await.unwrap();
    let (_, busy) = state(&database).await;
    assert!(
        (6_060..6_140).contains(&busy),
        "a third, about, by a hash of their names: {busy}"
    );
}

/// Every write of a busy conversation is heap-only for which its page has room. With a changed column in any index none would be. On a server of its own: what
/// is counted is where the rows are, which for a cluster is not where it is asked.
#[tokio::test]
async fn writes_of_busy_ones_are_heap_only() {
    const CONVERSATIONS: usize = 200;
    const MESSAGES: usize = 5;

    let server = PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(&server).await;
    let target = Target::Live(database.live().await);
    // Pages have room for all versions: when old ones may be cleared away, every snapshot in the database has a say in.
    sqlx::raw_sql("ALTER TABLE recap_g1.conversation_summary SET (fillfactor = 10)")
        .execute(&database.pool)
        .await
        .unwrap();
    for message in 0..MESSAGES {
        let mut batch = messages("c", CONVERSATIONS, message);
        database.store.flush(target, &mut batch).await.unwrap();
    }
    // PostgreSQL's own counts come a little later.
    let counted = async || -> (i64, i64) {
        let counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = 'recap_g1' AND relname = 'conversation_summary'";
        sqlx::query_as(counts).fetch_one(&database.pool).await.unwrap()
    };
    let updates = i64::try_from(CONVERSATIONS * (MESSAGES - 1)).unwrap();
    let (_, heap_only) =
        recap_testing::eventually("updates", recap_testing::LIMIT, counted, |(all, _)| *all >= updates).await;
    assert_eq!(heap_only, updates);
}
