//! How long a partition stood still although it had records.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use recap_log::{LogError, OffsetLookup, Offsets, Partition};
use recap_testing::World;
use tokio_util::sync::CancellationToken;

const PAUSE: Duration = Duration::from_millis(250);

/// The longest standstill, and whose it was.
#[derive(Debug, Default)]
pub struct Longest {
    pub time: Duration,
    pub partition: Option<Partition>,
}

impl Longest {
    pub fn assert_below(&self, bound: Duration) {
        if bound > Duration::ZERO {
            println!("longest standstill: {self:?}");
            assert!(
                self.time < bound,
                "a partition was unread for longer than {bound:?}: {self:?}"
            );
        }
    }
}

/// Compares, until `done`, where partitions end with what of them is in the rows. Transactions are to be none: their markers are never in a row. Without
/// a bound nobody looks.
pub async fn watch(world: &World<'_>, bound: Duration, done: &CancellationToken) -> Longest {
    if bound == Duration::ZERO {
        return Longest::default();
    }
    let topics = world.log.topics();
    let log = recap_log::Log::new(
        world.log.kafka().cluster(),
        topics.iter().map(String::as_str),
        world.log.group(),
    );
    let ends = std::sync::Arc::new(Mutex::new(Offsets::default()));
    let asking = {
        let (ends, done) = (std::sync::Arc::clone(&ends), done.clone());
        // On a thread of its own, for brokers that are away are asked for half a minute.
        tokio::task::spawn_blocking(move || ask_for_ends(&log, &ends, &done))
    };
    let mut longest = Longest::default();
    let mut since: BTreeMap<Partition, (i64, Instant)> = BTreeMap::new();
    while !done.is_cancelled() {
        if let Ok(holdings) = world.database.store.holdings().await {
            let held = holdings.offsets.into_iter();
            let held: Offsets = held
                .map(|held| (Partition::new(held.topic, held.partition), held.next_offset))
                .collect();
            let ends = ends.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for (partition, end) in ends.iter() {
                let next = held.get(partition);
                let (before, start) = *since.entry(partition.clone()).or_insert_with(|| (next, Instant::now()));
                if next != before || next >= end {
                    since.insert(partition.clone(), (next, Instant::now()));
                } else if start.elapsed() > longest.time {
                    longest.time = start.elapsed();
                    longest.partition = Some(partition.clone());
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    asking.await.unwrap();
    longest
}

fn ask_for_ends(log: &recap_log::Log, ends: &Mutex<Offsets>, done: &CancellationToken) {
    let ask = || -> Result<Offsets, LogError> { OffsetLookup::open(log)?.ends() };
    while !done.is_cancelled() {
        if let Ok(found) = ask() {
            *ends.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
        std::thread::sleep(PAUSE);
    }
}
