use recap_events::Change;
use recap_store::{Batch, FlushError, GenerationError, GenerationOffset, GenerationStatus, Target};

use crate::support::{database, entry};

fn some() -> Batch {
    let entry = entry("org", "c", "e1", 1_000_000, &Change::Restored);
    Batch {
        conversations: vec![entry],
        ..Batch::default()
    }
}

/// After a switch a flush into the old generation is refused, with its name; the positions are kept.
#[tokio::test]
async fn a_flush_into_a_generation_that_is_not_live_is_refused() {
    let database = database().await;
    let store = &database.store;
    let old = database.live().await;
    let new = database.store.create_generation().await.unwrap();
    assert!(matches!(
        database.store.create_generation().await,
        Err(GenerationError::AlreadyBuilding(id)) if id == new
    ));
    database.store.create_indexes(new).await.unwrap();
    store.flush(Target::Live(old), &mut some()).await.unwrap();
    let offsets = vec![GenerationOffset {
        topic: "t".into(),
        partition: 3,
        next_offset: 42,
        topic_id: Some(uuid::Uuid::from_u128(7)),
        gone: 0,
    }];
    database.store.switch_generation(old, new, &offsets, &[]).await.unwrap();

    let refused = store.flush(Target::Live(old), &mut some()).await;
    assert!(matches!(refused, Err(FlushError::GenerationChanged { live }) if live == new));
    store.flush(Target::Live(new), &mut some()).await.unwrap();
    assert_eq!(database.store.generation_offsets(old).await.unwrap(), offsets);
    let again = database.store.switch_generation(old, new, &[], &[]).await;
    assert!(matches!(again, Err(GenerationError::Changed { live }) if live == new));
    let status = |all: &[recap_store::Generation]| -> Vec<GenerationStatus> {
        all.iter().map(|generation| generation.status).collect()
    };
    let all = database.store.generations().await.unwrap();
    assert_eq!(status(&all), [GenerationStatus::Kept, GenerationStatus::Live]);

    let live = database.store.discard_generation(new).await;
    assert!(matches!(live, Err(GenerationError::Live(_))));
    database.store.discard_generation(old).await.unwrap();
    assert_eq!(database.store.generations().await.unwrap().len(), 1);
}
