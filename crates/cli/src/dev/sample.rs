//! The sample that `recap dev` feeds: some days of history, then new events all the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use recap_generator::{Config, Log, Record, Records};
use recap_log::{Lag, Pace, PublishError, Publisher};
use recap_service::clock;
use tokio_util::sync::CancellationToken;

/// How far the projector may be behind the history: the Kafka in the process keeps 5 MB of each partition.
const MOST_LAG: u64 = 8_000;

/// Days of history.
const DAYS: i64 = 5;

/// Conversations in flight at once.
const IN_FLIGHT: u32 = 60;

/// Events to a conversation: its messages, tool calls and feedback.
const EVENTS_EACH: u64 = 17;

/// What to feed.
#[derive(Clone, Debug)]
pub struct Sample {
    pub conversations: u64,
    pub rate: f64,
    pub seed: u64,
    /// Where it is published, and the consumer group that projects it.
    pub log: recap_log::Log,
}

impl Sample {
    pub fn history(&self) -> u64 {
        self.conversations * EVENTS_EACH
    }

    /// The log that the sample is the beginning of.
    pub fn events(&self) -> Log {
        let length = DAYS * 86_400_000_000;
        let events = i64::try_from(self.history().max(1)).unwrap_or(i64::MAX);
        let step = (length / events).max(1);
        // A conversation may be restored some events after the log's clock; none of them lies in the future.
        let ahead = step * (2 * i64::from(IN_FLIGHT) + 2);
        Log::new(Config {
            seed: self.seed,
            events: u64::MAX,
            start: clock::now().timestamp_micros() - length - ahead,
            step,
            scripted: true,
            organizations: 4,
            users: 60,
            agents: 3,
            in_flight: IN_FLIGHT,
            messages: 13,
            messages_max: 120,
            ..Config::default()
        })
    }
}

/// Publishes the sample on a thread of its own.
pub struct Feeder {
    published: Arc<AtomicU64>,
    filled: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Feeder {
    /// Publishes until it is stopped.
    pub fn start(sample: Sample, stop: CancellationToken) -> anyhow::Result<Self> {
        let published = Arc::new(AtomicU64::new(0));
        let filled = Arc::new(AtomicBool::new(false));
        let feed = Feed {
            sample,
            stop,
            published: Arc::clone(&published),
            filled: Arc::clone(&filled),
        };
        let thread = std::thread::Builder::new()
            .name(String::from("sample"))
            .spawn(move || feed.run())?;
        Ok(Self {
            published,
            filled,
            thread,
        })
    }

    /// Events of the history published so far.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
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
    published: Arc<AtomicU64>,
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
        let mut records = self.sample.events().iter();
        self.feed_history(&mut publisher, &mut records)?;
        self.filled.store(true, Ordering::Release);
        let mut record = Record::default();
        // A rate of zero is one event a day: the loop has to come round to see that it shall stop.
        let rate = self.sample.rate.max(1.0 / 86_400.0);
        records.set_step(
            Duration::from_secs_f64(1.0 / rate)
                .as_micros()
                .try_into()
                .unwrap_or(i64::MAX),
        );
        let mut pace = Pace::new(Some(rate));
        while !self.stop.is_cancelled() {
            records.set_time(clock::now().timestamp_micros());
            records.next_into(&mut record);
            publish(&mut publisher, &record)?;
            if let Some(pause) = pace.step() {
                self.pause(&publisher, pause);
            }
        }
        Ok(publisher.flush()?)
    }

    fn feed_history(&self, publisher: &mut Publisher, records: &mut Records) -> anyhow::Result<()> {
        let lag = Lag::of(&self.sample.log)?;
        let mut record = Record::default();
        for sent in 1..=self.sample.history() {
            if self.stop.is_cancelled() || !records.next_into(&mut record) {
                return Ok(());
            }
            publish(publisher, &record)?;
            self.published.store(sent, Ordering::Relaxed);
            if sent.is_multiple_of(2_000) {
                self.wait_for_lag(publisher, &lag, MOST_LAG)?;
            }
        }
        self.wait_for_lag(publisher, &lag, 0)
    }

    fn wait_for_lag(&self, publisher: &Publisher, lag: &Lag, most: u64) -> anyhow::Result<()> {
        publisher.flush()?;
        while !self.stop.is_cancelled() && lag.now()? > most {
            publisher.wait(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits in short pieces, so that Ctrl-C never has to wait for a slow rate.
    fn pause(&self, publisher: &Publisher, pause: Duration) {
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
