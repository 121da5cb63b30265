//! A database per test, streams of events, and the fold they must equal.

pub mod busy;
pub mod fold;
pub mod known;
pub mod table;

use recap_events::{Change, Decoded, Event, decode};
use recap_generator::{Config, Log};
use recap_store::{Batch, BatchBuilder, ConversationKey, Entry};
use recap_summary::Delta;
use recap_testing::{PostgresServer, TestDatabase};

/// A migrated database of the test's own.
pub async fn database() -> TestDatabase<'static> {
    TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await
}

/// The valid events of a seeded log, in its order.
pub fn log(seed: u64, events: u64) -> Vec<Vec<u8>> {
    Log::new(Config::small(seed, events))
        .iter()
        .filter(|record| !record.invalid)
        .map(|record| record.value)
        .collect()
}

pub fn event(value: &[u8]) -> Event<'_> {
    match decode(Some(value), std::iter::empty(), None) {
        Decoded::Event(event) => event,
        other => panic!("not an event: {other:?}"),
    }
}

/// Folds events into a batch of entries whose base is unknown, sorted by key.
pub fn batch<'v>(values: impl IntoIterator<Item = &'v Vec<u8>>) -> Batch {
    let mut builder = BatchBuilder::default();
    for value in values {
        builder.add(&event(value));
    }
    let mut batch = builder.build();
    batch.conversations.sort_by(|a, b| a.key.cmp(&b.key));
    batch
}

/// An entry of one change.
pub fn entry(org_id: &str, id: &str, event_id: &str, time: i64, change: &Change<'_>) -> Entry {
    let mut delta = Delta::default();
    delta.apply(event_id, recap_events::Micros(time), change);
    Entry::unknown(ConversationKey::new(org_id, id), delta)
}
