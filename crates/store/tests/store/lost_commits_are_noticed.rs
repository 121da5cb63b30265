use recap_store::{Advance, FlushError, ProgressError, ProjectedOffset, Target};

use crate::support::{batch, database, log};

fn offset(partition: i32, next_offset: i64) -> ProjectedOffset {
    ProjectedOffset {
        topic: "t".to_owned(),
        partition,
        topic_id: None,
        next_offset,
    }
}

fn advance(partition: i32, from: i64, to: i64) -> Advance {
    Advance {
        to: offset(partition, to),
        from,
    }
}

/// A flush is refused, and no offset moves, once the database lacks another flush of the same store; and dropping all that was confirmed heals it.
#[tokio::test]
async fn a_database_that_lacks_a_flush_takes_no_other_of_the_same_store() {
    let database = database().await;
    let (store, live) = (&database.store, database.live().await);
    store.set_projected_offsets(&[offset(0, 0)]).await.unwrap();
    let flush = async |seed| store.flush(Target::Live(live), &mut batch(&log(seed, 20))).await;
    flush(1).await.unwrap();
    flush(2).await.unwrap();
    store.advance_projected_offsets(&[advance(0, 0, 10)]).await.unwrap();
    // As a promoted standby has it that had received the first flush.
    sqlx::raw_sql("UPDATE recap.writer SET attempt = attempt - 1")
        .execute(&database.pool)
        .await
        .unwrap();
    assert!(matches!(flush(3).await, Err(FlushError::CommitsLost)));
    let moved = store.advance_projected_offsets(&[advance(0, 10, 20)]).await;
    assert!(matches!(moved, Err(ProgressError::CommitsLost)), "{moved:?}");
    let checked = store.check_projected_offsets(&[offset(0, 10)]).await;
    assert!(matches!(checked, Err(ProgressError::CommitsLost)), "{checked:?}");
    assert_eq!(store.holdings().await.unwrap().offsets, [offset(0, 10)]);
    database
        .another_store()
        .flush(Target::Live(live), &mut batch(&log(4, 20)))
        .await
        .unwrap();
    store.begin_anew();
    flush(3).await.unwrap();
    store.advance_projected_offsets(&[advance(0, 10, 20)]).await.unwrap();
}

#[tokio::test]
async fn offsets_move_only_from_where_they_are_and_never_back() {
    let database = database().await;
    let store = &database.store;
    store
        .set_projected_offsets(&[offset(0, 5), offset(1, 5)])
        .await
        .unwrap();
    let moved = async |advances: &[Advance]| store.advance_projected_offsets(advances).await;
    moved(&[advance(0, 5, 9), advance(1, 3, 4)]).await.unwrap();
    assert_eq!(store.holdings().await.unwrap().offsets, [offset(0, 9), offset(1, 5)]);
    let gap = moved(&[advance(1, 6, 9)]).await;
    assert!(matches!(gap, Err(ProgressError::CommitsLost)), "{gap:?}");
    let unknown = moved(&[advance(2, 0, 1)]).await;
    assert!(matches!(unknown, Err(ProgressError::CommitsLost)), "{unknown:?}");
    let other_topic = ProjectedOffset {
        topic_id: Some(uuid::Uuid::from_u128(1)),
        ..offset(0, 20)
    };
    let other = moved(&[Advance {
        to: other_topic,
        from: 9,
    }])
    .await;
    assert!(matches!(other, Err(ProgressError::CommitsLost)), "{other:?}");
    store
        .check_projected_offsets(&[offset(0, 9), offset(1, 5)])
        .await
        .unwrap();
    assert!(
        !store.holdings().await.unwrap().adopts_group_offsets,
        "it was made by this release"
    );
}

/// Flushes at once have sessions of their own, and a failed one leaves nothing behind that the next would stumble over.
#[tokio::test]
async fn flushes_at_once_and_after_a_failure_are_not_taken_for_lost_ones() {
    let database = database().await;
    let (store, live) = (&database.store, database.live().await);
    for round in 0..3 {
        let (mut one, mut two) = (batch(&log(round, 200)), batch(&log(round + 10, 200)));
        let (one, two) = tokio::join!(
            store.flush(Target::Live(live), &mut one),
            store.flush(Target::Live(live), &mut two)
        );
        one.unwrap();
        two.unwrap();
        sqlx::raw_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&database.pool)
        .await
        .unwrap();
        let mut third = batch(&log(round + 20, 200));
        if store.flush(Target::Live(live), &mut third).await.is_err() {
            store.flush(Target::Live(live), &mut third).await.unwrap();
        }
    }
}
