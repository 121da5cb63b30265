use recap_store::{Base, Batch, FlushError, Target};

use crate::support::{batch, database, fold, log, table};

/// Copied into a generation that is being built, conversations leave the rows of the fold. Copied again they are refused
/// whole, and the ordinary way then changes nothing.
#[tokio::test]
async fn copies_leave_the_rows_of_the_fold_or_nothing() {
    let database = database().await;
    let store = &database.store;
    let building = database.store.create_generation().await.unwrap();
    let values = log(21, 6_000);
    let (first, others) = values.split_at(4_000);
    let absent = |mut batch: Batch| {
        for entry in &mut batch.conversations {
            entry.base = Base::Absent;
        }
        let conversations = batch.conversations;
        Batch {
            conversations,
            ..Batch::default()
        }
    };
    let profiles = Batch {
        conversations: Vec::new(),
        ..batch(&values)
    };
    store
        .flush(Target::Building(building), &mut profiles.clone())
        .await
        .unwrap();
    let report = store
        .flush(Target::NewInBuilding(building), &mut absent(batch(first)))
        .await
        .unwrap();
    assert!(report.written > 50 && report.payloads > 50, "{report:?}");
    let mut expected = fold::tables(&batch(first));
    let profiles = fold::tables(&profiles);
    (expected.users, expected.agents) = (profiles.users, profiles.agents);
    assert_eq!(table::read(&database.pool, building).await, expected);

    let mut again = absent(batch(others));
    let refused = store.flush(Target::NewInBuilding(building), &mut again).await;
    assert!(matches!(refused, Err(FlushError::Refused(_))), "{refused:?}");
    assert_eq!(table::read(&database.pool, building).await, expected);
    store.flush(Target::Building(building), &mut again).await.unwrap();
    let all = fold::tables(&batch(&values));
    assert_eq!(table::read(&database.pool, building).await, all);
}
