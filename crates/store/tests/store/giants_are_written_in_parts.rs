use std::collections::BTreeMap;

use recap_events::{Change, Message, Micros, Millis, Usage};
use recap_store::{Batch, ConversationKey, Entry, Target};
use recap_summary::{Conversation, Delta};
use recap_testing::TestDatabase;
use sqlx::Row as _;

use crate::support::database;

const MESSAGES: i64 = 20_000;

fn add(delta: &mut Delta, number: i64) {
    let change = Change::Message(Message {
        message_id: format!("00000000-0000-4000-8000-{number:012x}").into(),
        role: "assistant".into(),
        created_at: Millis(number),
        text: None,
        model: Some("model".into()),
        finish_reason: None,
        usage: Usage {
            input_tokens: Some(1),
            output_tokens: Some(2),
            ..Usage::default()
        },
        attachment_count: None,
        user_id: None,
        agent_id: None,
        upstream_conversation_id: None,
    });
    delta.apply(&format!("event-{number:06}"), Micros(number * 1_000), &change);
}

fn of(delta: Delta) -> Batch {
    let entry = Entry::unknown(ConversationKey::new("org", "giant"), delta);
    Batch {
        conversations: vec![entry],
        ..Batch::default()
    }
}

async fn parts(database: &TestDatabase<'_>) -> BTreeMap<i16, (String, Vec<u8>)> {
    sqlx::query("SELECT part, ctid::text, state FROM recap_g1.conversation_state_part")
        .fetch_all(&database.pool)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect()
}

/// A message more costs one part, whoever writes it; two writers with stale states both keep theirs.
#[tokio::test]
async fn one_message_more_writes_one_part() {
    let database = database().await;
    let generation = database.live().await;
    let store = &database.store;
    let mut delta = Delta::default();
    (0..MESSAGES).for_each(|number| add(&mut delta, number));
    let mut all = delta.clone();
    let mut giant = of(delta);
    store.flush(Target::Live(generation), &mut giant).await.unwrap();
    let before = parts(&database).await;
    assert!(before.len() >= 16, "{} parts", before.len());

    let mut stale = giant.clone();
    add(&mut giant.conversations[0].delta, MESSAGES);
    add(&mut all, MESSAGES);
    store.flush(Target::Live(generation), &mut giant).await.unwrap();
    let after = parts(&database).await;
    let changed = before.iter().filter(|(part, (ctid, _))| after[part].0 != *ctid).count();
    assert_eq!((after.len(), changed), (before.len(), 1));

    add(&mut stale.conversations[0].delta, MESSAGES + 1);
    add(&mut all, MESSAGES + 1);
    let report = database
        .another_store()
        .flush(Target::Live(generation), &mut stale)
        .await
        .unwrap();
    assert_eq!(report.conflicts, 1);
    // One who knows nothing reads it whole, adds a message and finds the rest unchanged.
    let mut cold = Delta::default();
    add(&mut cold, MESSAGES + 2);
    add(&mut all, MESSAGES + 2);
    database
        .another_store()
        .flush(Target::Live(generation), &mut of(cold))
        .await
        .unwrap();

    let main: Vec<u8> = sqlx::query_scalar("SELECT state FROM recap_g1.conversation_summary")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    let stored: Vec<(u16, Vec<u8>)> = parts(&database)
        .await
        .into_iter()
        .map(|(part, (_, state))| (part.cast_unsigned(), state))
        .collect();
    let read = Conversation::decode(&main, &stored).unwrap();
    assert_eq!(read, all.state);
    assert_eq!(read.columns().total_message_count, MESSAGES + 3);
}
