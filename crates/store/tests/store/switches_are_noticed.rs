use recap_events::Change;
use recap_store::{
    Batch, FlushError, GenerationError, GenerationOffset, GenerationStatus, create_generation, create_indexes,
    discard_generation, generation_offsets, list_generations, switch_generation,
};

use crate::support::{Database, entry};

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
    let database = Database::new().await;
    let writer = database.writer(1);
    let old = database.live().await;
    let new = create_generation(&database.pool).await.unwrap();
    assert!(matches!(
        create_generation(&database.pool).await,
        Err(GenerationError::AlreadyBuilding(id)) if id == new
    ));
    create_indexes(&database.pool, new).await.unwrap();
    writer.flush(old, &mut some()).await.unwrap();
    let offsets = vec![GenerationOffset {
        topic: "t".into(),
        partition: 3,
        next_offset: 42,
    }];
    switch_generation(&database.pool, old, new, &offsets, &[])
        .await
        .unwrap();

    let refused = writer.flush(old, &mut some()).await;
    assert!(matches!(refused, Err(FlushError::GenerationChanged { live }) if live == new));
    writer.flush(new, &mut some()).await.unwrap();
    assert_eq!(generation_offsets(&database.pool, old).await.unwrap(), offsets);
    let again = switch_generation(&database.pool, old, new, &[], &[]).await;
    assert!(matches!(again, Err(GenerationError::Changed { live }) if live == new));
    let status = |all: &[recap_store::Generation]| -> Vec<GenerationStatus> {
        all.iter().map(|generation| generation.status).collect()
    };
    let all = list_generations(&database.pool).await.unwrap();
    assert_eq!(status(&all), [GenerationStatus::Kept, GenerationStatus::Live]);

    let live = discard_generation(&database.pool, new).await;
    assert!(matches!(live, Err(GenerationError::Live(_))));
    discard_generation(&database.pool, old).await.unwrap();
    assert_eq!(list_generations(&database.pool).await.unwrap().len(), 1);
}
