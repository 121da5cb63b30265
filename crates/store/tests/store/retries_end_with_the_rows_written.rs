use std::{iter, time::Duration};

use recap_store::{Base, Batch, BatchFlush as _, FlushError, Store, StoreOptions, Target};

use crate::support::{batch, database, fold, log, table};

/// A flush that finds its rows locked for longer than a statement may take goes on in halves, waits, and ends with everything
/// written once the lock is gone. Every attempt is reported.
#[tokio::test]
async fn a_batch_that_takes_too_long_is_written_in_halves() {
    let database = database().await;
    let generation = database.live().await;
    let values = log(31, 1_000);
    let mut one = batch(&values);
    one.conversations.truncate(1);
    let locked = one.conversations[0].key.clone();
    database.store.flush(Target::Live(generation), &mut one).await.unwrap();
    let mut lock = database.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM recap_g1.conversation_summary WHERE org_id = $1 AND conversation_id = $2 FOR UPDATE")
        .bind(&*locked.org_id)
        .bind(&*locked.conversation_id)
        .execute(&mut *lock)
        .await
        .unwrap();
    let impatient = Store::new(&StoreOptions {
        statement_timeout: Duration::from_millis(200),
        ..StoreOptions::new(&*database.url, "store-test")
    })
    .unwrap();
    let mut batch_of_all = batch(&values);
    for entry in &mut batch_of_all.conversations {
        entry.delta.state.mark_dirty();
    }
    let conversations = batch_of_all.conversations.len();
    let mut lock = Some(lock);
    let mut attempts = Vec::new();
    let written = impatient
        .flush_with_retries(
            Target::RewriteLive(generation),
            batch_of_all,
            iter::repeat(Duration::from_millis(10)),
            |attempt| {
                let timed_out = attempt.result.is_err_and(FlushError::is_timeout);
                attempts.push((attempt.conversations, timed_out, attempt.retry_in));
                if attempt.conversations == 1 {
                    lock = None;
                }
            },
        )
        .await
        .unwrap();
    assert_eq!(attempts[0], (conversations, true, None));
    assert_eq!(attempts[1].0, conversations / 2);
    assert!(
        attempts.iter().any(|attempt| attempt.1 && attempt.2.is_some()),
        "{attempts:?}"
    );
    assert_eq!(written.conversations.len(), conversations);
    let stored = table::read(&database.pool, generation).await;
    assert_eq!(stored, fold::tables(&batch(&values)));
}

/// A database that cannot be reached is tried as often as there are delays; what it refuses is tried once.
#[tokio::test]
async fn attempts_end_with_the_delays_or_with_a_refusal() {
    let database = database().await;
    let building = database.store.create_generation().await.unwrap();
    let values = log(32, 300);
    let away = Store::new(&StoreOptions {
        acquire_timeout: Duration::from_millis(100),
        ..StoreOptions::new("postgres://nobody@127.0.0.1:1/nothing", "store-test")
    })
    .unwrap();
    let mut attempts = 0;
    let delays = [Duration::ZERO; 2].into_iter();
    let result = away
        .flush_with_retries(Target::Building(building), batch(&values), delays.clone(), |_| {
            attempts += 1;
        })
        .await;
    assert!(matches!(result, Err(FlushError::Unavailable(_))), "{result:?}");
    assert_eq!(attempts, 3);

    let mut changed = 0;
    let result = database
        .store
        .flush_with_retries(Target::Live(building), batch(&values), delays.clone(), |_| changed += 1)
        .await;
    assert!(
        matches!(result, Err(FlushError::GenerationChanged { .. })),
        "{result:?}"
    );
    assert_eq!(changed, 1);

    // Copied a second time, such as after a commit whose answer was lost.
    for expected in [1, 2] {
        let mut new = batch(&values);
        for entry in &mut new.conversations {
            entry.base = Base::Absent;
        }
        let Batch { conversations, .. } = new;
        let new = Batch {
            conversations,
            ..Batch::default()
        };
        let mut attempts = 0;
        database
            .store
            .flush_with_retries(Target::NewInBuilding(building), new, delays.clone(), |_| attempts += 1)
            .await
            .unwrap();
        assert_eq!(attempts, expected);
    }
}
