//! The sample that `recap dev` feeds: some weeks of history, then new events all the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use recap_generator::{Record, SampleConfig, SampleRecords};
use recap_log::{Lag, PublishError, Publisher};
use recap_service::clock;
use tokio_util::sync::CancellationToken;

/// How far the projector may be behind the history: the Kafka in the process keeps 5 MB of each partition.
const MOST_LAG: u64 = 8_000;

/// Days of history: thirty, and the thirty before to compare them with.
const DAYS: i64 = 60;

/// What to feed.
#[derive(Clone, Debug)]
pub struct Sample {
    pub conversations: u64,
    /// What happens, and who is there.
    pub events: recap_generator::Sample,
    /// The end of the history, in Unix microseconds.
    until: i64,
    /// Where it is published, and the consumer group that projects it.
    pub log: recap_log::Log,
}

impl Sample {
    /// A sample whose history ends now.
    pub fn new(conversations: u64, rate: f64, seed: u64, log: recap_log::Log) -> Self {
        let until = clock::now().timestamp_micros();
        let events = recap_generator::Sample::new(SampleConfig {
            seed,
            conversations,
            start: until - DAYS * 86_400_000_000,
            until,
            rate,
        });
        Self {
            conversations,
            events,
            until,
            log,
        }
    }
}

/// Publishes the sample on a thread of its own.
pub struct Feeder {
    begun: Arc<AtomicU64>,
    filled: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Feeder {
    /// Publishes until it is stopped.
    pub fn start(sample: Sample, stop: CancellationToken) -> anyhow::Result<Self> {
        let begun = Arc::new(AtomicU64::new(0));
        let filled = Arc::new(AtomicBool::new(false));
        let feed = Feed {
            sample,
            stop,
            begun: Arc::clone(&begun),
            filled: Arc::clone(&filled),
        };
        let thread = std::thread::Builder::new()
            .name(String::from("sample"))
            .spawn(move || feed.run())?;
        Ok(Self { begun, filled, thread })
    }

    /// Conversations of the history begun so far.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether the history is published and the projector has written it.
    pub fn filled(&self) -> anyhow::Result<bool> {
        ensure!(
            !self.thread.is_finished() || self.filled.load(Ordering::Acquire),
            "the sample cannot be published"
        );
        Ok(self.filled.load(Ordering::Acquire))
    }

    /// Waits for its end after it was stopped.
    pub async fn join(self) -> anyhow::Result<()> {
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        joined.map_err(|_| anyhow!("the sample's thread crashed"))?
    }
}

struct Feed {
    sample: Sample,
    stop: CancellationToken,
    begun: Arc<AtomicU64>,
    filled: Arc<AtomicBool>,
}

impl Feed {
    fn run(&self) -> anyhow::Result<()> {
        let result = self.feed();
        if let Err(error) = &result {
            tracing::error!(error = format!("{error:#}"), "the sample stopped");
        }
        result
    }

    fn feed(&self) -> anyhow::Result<()> {
        let mut publisher = Publisher::connect(&self.sample.log.cluster)?;
        let mut records = self.sample.events.records();
        let mut next = self.feed_history(&mut publisher, &mut records)?;
        self.filled.store(true, Ordering::Release);
        while !self.stop.is_cancelled() {
            let (due, record) = next;
            self.wait_until(&publisher, due);
            publish(&mut publisher, &record)?;
            next = records.next_record();
        }
        Ok(publisher.flush()?)
    }

    /// Publishes what has happened already; gives the first record that has not.
    fn feed_history(&self, publisher: &mut Publisher, records: &mut SampleRecords) -> anyhow::Result<(i64, Record)> {
        let lag = Lag::of(&self.sample.log)?;
        let mut sent = 0_u64;
        loop {
            let next = records.next_record();
            if next.0 > self.sample.until || self.stop.is_cancelled() {
                self.wait_for_lag(publisher, &lag, 0)?;
                return Ok(next);
            }
            publish(publisher, &next.1)?;
            sent += 1;
            self.begun
                .store(records.begun().min(self.sample.conversations), Ordering::Relaxed);
            if sent.is_multiple_of(2_000) {
                self.wait_for_lag(publisher, &lag, MOST_LAG)?;
            }
        }
    }

    fn wait_for_lag(&self, publisher: &Publisher, lag: &Lag, most: u64) -> anyhow::Result<()> {
        publisher.flush()?;
        while !self.stop.is_cancelled() && lag.now()? > most {
            publisher.wait(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits in short pieces, so that Ctrl-C never has to wait for a slow rate.
    fn wait_until(&self, publisher: &Publisher, due: i64) {
        let pause = Duration::from_micros((due - clock::now().timestamp_micros()).max(0).unsigned_abs());
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.stop.is_cancelled() {
                return;
            }
            publisher.wait(left.min(Duration::from_millis(100)));
        }
    }
}

fn publish(publisher: &mut Publisher, record: &Record) -> Result<(), PublishError> {
    publisher.send(record.topic.name(), &record.key, &record.value)
}
