//! Members are replaced while events flow, as a rolling update does it: no partition stays unread.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use recap_generator::{Config, Log, Record};
use recap_log::{OffsetLookup, Partition};
use recap_testing::{LIMIT, World};

use crate::PROJECTOR;

const UNREAD: Duration = Duration::from_secs(5);
const OBSERVED: Duration = Duration::from_secs(8);
const PARTITIONS: i64 = 24;
const PAUSE: Duration = Duration::from_millis(50);

/// How long the partition stood still that stood still longest although it had records.
struct Standstill {
    lookup: OffsetLookup,
    since: BTreeMap<Partition, (i64, Instant)>,
    longest: Duration,
}

impl Standstill {
    fn of(world: &World<'_>) -> Self {
        let topics = world.log.topics();
        let log = recap_log::Log::new(
            world.log.kafka().cluster(),
            topics.iter().map(String::as_str),
            world.log.group(),
        );
        Self {
            lookup: OffsetLookup::open(&log).unwrap(),
            since: BTreeMap::new(),
            longest: Duration::ZERO,
        }
    }

    fn look(&mut self) {
        let (ends, committed) = (self.lookup.ends().unwrap(), self.lookup.committed().unwrap());
        for (partition, end) in ends.iter() {
            let next = committed.get(partition);
            let (before, since) = *self
                .since
                .entry(partition.clone())
                .or_insert_with(|| (next, Instant::now()));
            if next != before || next == end {
                self.since.insert(partition.clone(), (next, Instant::now()));
            } else {
                self.longest = self.longest.max(since.elapsed());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_member_leaves_no_partition_unread() {
    for protocol in ["classic", "consumer"] {
        let world = World::builder("replaced").partitions(4).build().await;
        let records: Vec<Record> = Log::new(Config::small(41, 60_000)).iter().collect();
        let option = format!("--group-protocol={protocol}");
        // Long enough for a member that is taken for alive to be seen.
        let flags = [option.as_str(), "--session-timeout=45s", "--drain-timeout=20s"];
        let first = world.projector(PROJECTOR, &flags);
        let mut second = world.projector(PROJECTOR, &flags);
        let (head, flow) = records.split_at(2_000);
        world.publish(head).await;
        world.caught_up(LIMIT).await;
        for member in [&first, &second] {
            let assigned = "recap_projector_partitions_assigned";
            member.metric_becomes(assigned, |count| count == PARTITIONS / 2).await;
        }

        let done = AtomicBool::new(false);
        let published = async {
            let mut published = head.len();
            for few in flow.chunks(200) {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                world.publish(few).await;
                published += few.len();
                tokio::time::sleep(PAUSE).await;
            }
            published
        };
        let observed = async {
            let mut standstill = Standstill::of(&world);
            assert_eq!(second.stop().await, Some(0));
            let third = world.projector(PROJECTOR, &flags);
            let start = Instant::now();
            while start.elapsed() < OBSERVED {
                standstill = tokio::task::spawn_blocking(move || {
                    standstill.look();
                    standstill
                })
                .await
                .unwrap();
                tokio::time::sleep(PAUSE).await;
            }
            third
                .metric_becomes("recap_projector_partitions_assigned", |count| count > 0)
                .await;
            done.store(true, Ordering::Relaxed);
            (standstill.longest, third)
        };
        let (published, (longest, _third)) = tokio::join!(published, observed);
        println!("{protocol}: longest standstill {longest:?}");
        assert!(longest < UNREAD, "{protocol}: a partition was unread for {longest:?}");
        world.caught_up(LIMIT).await;
        world.database.assert_equals_fold(&records[..published]).await;
    }
}
