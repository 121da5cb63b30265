use std::{collections::BTreeMap, sync::Arc};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use recap_store::{FlushReport, Store, Target};

use crate::support::{batch, database, fold, log, table};

/// Three writers at once, each with states as old as they get, on the same few conversations: events
/// spread over them at random, some given to all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_with_stale_states_lose_nothing() {
    let database = database().await;
    let generation = database.live().await;
    let values = Arc::new(log(23, 4_000));
    let mut tasks = Vec::new();
    for seed in 0..3_u8 {
        let store = database.another_store();
        let values = Arc::clone(&values);
        let mut random = StdRng::seed_from_u64(u64::from(seed));
        let mut mine: Vec<usize> = (0..values.len())
            .filter(|index| index % 3 == usize::from(seed) || random.random_bool(0.1))
            .collect();
        mine.shuffle(&mut random);
        tasks.push(tokio::spawn(write(store, generation, values, mine)));
    }
    let mut conflicts = 0;
    for task in tasks {
        conflicts += task.await.unwrap();
    }
    assert!(conflicts > 100, "only {conflicts} conflicts: nothing was proved");
    let stored = table::read(&database.pool, generation).await;
    assert_eq!(stored, fold::tables(&batch(values.iter())));
}

/// Keeps every state it ever saw, however stale. Answers how many conflicts there were.
async fn write(
    store: Store,
    generation: recap_store::GenerationId,
    values: Arc<Vec<Vec<u8>>>,
    mine: Vec<usize>,
) -> u64 {
    let mut hot = BTreeMap::new();
    let mut total = FlushReport::default();
    for chunk in mine.chunks(60) {
        let mut batch = batch(chunk.iter().map(|index| &values[*index]));
        for entry in &mut batch.conversations {
            if let Some(mut known) = hot.remove(&entry.key) {
                let known: &mut recap_store::Entry = &mut known;
                known.delta.merge(std::mem::take(&mut entry.delta));
                *entry = known.clone();
            }
        }
        let report = store.flush(Target::Live(generation), &mut batch).await.unwrap();
        total.conflicts += report.conflicts;
        for entry in batch.conversations {
            hot.insert(entry.key.clone(), entry);
        }
    }
    total.conflicts
}
