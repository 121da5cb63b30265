use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use recap_store::{Base, Batch, Entry, Target};

use crate::support::{batch, database, fold, log, table};

/// Batches of any size, with what the projector keeps in memory between them, leave exactly the rows of
/// the fold.
#[tokio::test]
async fn batches_leave_the_rows_of_the_fold() {
    let database = database().await;
    let store = &database.store;
    let generation = database.live().await;
    let values = log(11, 6_000);
    let mut random = StdRng::seed_from_u64(11);
    let mut hot = BTreeMap::new();
    let mut rest = values.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(random.random_range(1..=400).min(rest.len()));
        rest = later;
        let mut batch = warm(batch(now), &mut hot);
        store.flush(Target::Live(generation), &mut batch).await.unwrap();
        for entry in batch.conversations {
            assert!(!entry.delta.state.is_dirty());
            assert!(matches!(entry.base, Base::Revision(_)));
            // What is forgotten is read again.
            if random.random_bool(0.7) {
                hot.insert(entry.key.clone(), entry);
            }
        }
    }
    let stored = table::read(&database.pool, generation).await;
    assert_eq!(stored, fold::tables(&batch(&values)));
    assert!(stored.tool_calls.len() > 100 && stored.feedback.len() > 50 && stored.users.len() > 5);
}

/// Merges a batch into what is still known of its conversations.
fn warm(mut batch: Batch, hot: &mut BTreeMap<recap_store::ConversationKey, Entry>) -> Batch {
    for entry in &mut batch.conversations {
        if let Some(mut known) = hot.remove(&entry.key) {
            known.delta.merge(std::mem::take(&mut entry.delta));
            *entry = known;
        }
    }
    batch
}
