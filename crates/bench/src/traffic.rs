//! The generator's log on its way to the broker: as fast as it is taken, or at a rate for as long as others measure.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use anyhow::{anyhow, ensure};
use recap_generator::{Config, Log, Record, Records};
use recap_log::{Cluster, Pace, Publisher, Topic};
use tokio::sync::oneshot;

use super::{
    report::whole,
    stack::{Broker, float},
};

/// Creates the topics that a projector reads, and the one it writes.
pub async fn create_topics(broker: &Broker, partitions: i32) -> anyhow::Result<()> {
    for topic in Topic::ALL {
        broker.create_topic(topic.name(), partitions).await?;
    }
    broker.create_topic("recap.dead-letters", 1).await
}

/// Events of live traffic before anything is measured: as many conversations are in flight then as later on, and their users are known.
pub const WARM_UP: u64 = 200_000;

/// Live traffic never ends. Its conversations are others than those of the log of the tables, which are whole where that ends.
pub fn live() -> Config {
    Config {
        seed: 2,
        events: u64::MAX,
        ..Config::default()
    }
}

/// Publishes these events of a log, counted from its first.
pub async fn publish(cluster: Cluster, log: Config, events: Range<u64>) -> anyhow::Result<()> {
    let begun = Instant::now();
    let count = events.end - events.start;
    let publishing = tokio::task::spawn_blocking(move || {
        let mut publisher = Publisher::connect(&cluster)?;
        let (mut records, mut record) = (from(&log, events.start), Record::default());
        for _ in events {
            ensure!(records.next_into(&mut record), "the log has ended");
            publisher.send(record.topic.name(), &record.key, &record.value)?;
        }
        publisher.flush()?;
        anyhow::Ok(())
    });
    publishing.await??;
    eprintln!(
        "published {} events in {:.1} s",
        whole(float(count)),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A log from its event of that number on.
fn from(log: &Config, first: u64) -> Records {
    let (mut records, mut record) = (Log::new(log.clone()).iter(), Record::default());
    for _ in 0..first {
        records.next_into(&mut record);
    }
    records
}

/// Live traffic, until it is stopped.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Traffic {
    /// Begins with the event of number `first` of [`live()`], `rate` of them a second; returns when those before it are made.
    pub async fn start(cluster: Cluster, first: u64, rate: f64) -> anyhow::Result<Self> {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (begun, begins) = oneshot::channel();
        let thread = {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            std::thread::spawn(move || {
                let mut publisher = Publisher::connect(&cluster)?;
                let (mut records, mut record) = (from(&live(), first), Record::default());
                // Nobody waits any longer: then it is stopped soon.
                let _ = begun.send(());
                let mut pace = Pace::new(Some(rate));
                while !stop.load(Ordering::Relaxed) {
                    records.next_into(&mut record);
                    publisher.send(record.topic.name(), &record.key, &record.value)?;
                    sent.fetch_add(1, Ordering::Relaxed);
                    if let Some(pause) = pace.step() {
                        publisher.wait(pause);
                    }
                }
                Ok(publisher.flush()?)
            })
        };
        let traffic = Self {
            stop,
            published: sent,
            thread,
        };
        match begins.await {
            Ok(()) => Ok(traffic),
            Err(_) => Err(traffic
                .stop()
                .await
                .err()
                .unwrap_or_else(|| anyhow!("no traffic began"))),
        }
    }

    /// Events until now.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Fails when it has ended by itself.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.thread.is_finished(), "the traffic has ended");
        Ok(())
    }

    /// Ends it; how many events it were.
    pub async fn stop(self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        joined.map_err(|_| anyhow!("the traffic crashed"))??;
        Ok(self.published.load(Ordering::Relaxed))
    }
}
