use recap_store::Target;

use crate::support::{batch, database, log, table};

/// The whole log again, in other batches and by a writer that knows nothing: not one row is touched.
#[tokio::test]
async fn a_replay_costs_reads_only() {
    let database = database().await;
    let generation = database.live().await;
    let values = log(5, 3_000);
    database
        .store
        .flush(Target::Live(generation), &mut batch(&values))
        .await
        .unwrap();
    let before = table::physical(&database.pool, generation).await;

    let store = database.another_store();
    for chunk in values.chunks(700).rev() {
        let mut again = batch(chunk);
        let conversations = u64::try_from(again.conversations.len()).unwrap();
        let report = store.flush(Target::Live(generation), &mut again).await.unwrap();
        assert_eq!(report.unchanged, conversations);
        assert_eq!((report.written, report.payloads, report.profiles), (0, 0, 0));
    }
    assert_eq!(before, table::physical(&database.pool, generation).await);
}

/// The same for a writer whose states are in memory.
#[tokio::test]
async fn a_replay_into_known_states_costs_nothing() {
    let database = database().await;
    let generation = database.live().await;
    let values = log(6, 1_000);
    let store = &database.store;
    let mut first = batch(&values);
    store.flush(Target::Live(generation), &mut first).await.unwrap();
    let before = table::physical(&database.pool, generation).await;

    let again = batch(&values);
    for (entry, repeated) in first.conversations.iter_mut().zip(again.conversations) {
        assert_eq!(entry.key, repeated.key);
        entry.delta.merge(repeated.delta);
    }
    let report = store.flush(Target::Live(generation), &mut first).await.unwrap();
    assert_eq!((report.written, report.loaded, report.payloads), (0, 0, 0));
    assert_eq!(before, table::physical(&database.pool, generation).await);
}
