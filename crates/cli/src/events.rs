//! `recap events`: the sample log that `recap dev`, `recap-bench` and the tests use, for anyone's own experiments; and the contract of events
//! for machines.

mod asyncapi;
mod contract;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use recap_generator::{Config, Log, Record};
use recap_log::{KafkaArgs, Pace, Publisher};
use recap_service::clock;

use self::contract::Contract;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// One event a line
    Stdout,
    /// The default topics, keyed, with an idempotent producer
    Kafka,
}

/// Write the sample event log to standard output, a file or Kafka; or print the contract of events
///
/// The log is the traffic of an AI-agent platform, the same for the same seed and start. Every event is a structured `CloudEvent` in JSON. All eleven types occur, with duplicates, disorder, revisions and
/// halves that arrive reversed.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  recap events --events 3                                   three events to read
  recap events --file log.ndjson                            a million events into a file
  recap events --to kafka --rate 500 --events 0             500 events a second until Ctrl-C
  recap events schema message.upserted                      what a message has to look like, as a JSON Schema")]
pub struct Options {
    #[command(subcommand)]
    contract: Option<Contract>,

    /// Where the events go
    #[arg(long, value_enum, default_value = "stdout")]
    to: Target,

    /// Write to this file, one event a line, instead
    #[arg(long, conflicts_with = "to", value_name = "PATH")]
    file: Option<PathBuf>,

    /// Events a second; as fast as possible without it. With a rate and no --start, events happen as they are sent
    #[arg(long, value_name = "N")]
    rate: Option<f64>,

    #[command(flatten)]
    shape: Shape,

    #[command(flatten)]
    kafka: KafkaArgs,
}

/// What the log is made of.
#[derive(Clone, Debug, Args)]
pub struct Shape {
    /// Events in the log; 0 never ends
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    pub events: u64,

    /// Decides everything random: the same seed gives the same events
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Organizations; the second has half the traffic of the first, the third a third, …
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub organizations: u32,

    /// Users of all organizations together
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub users: u32,

    /// Conversations going on at once
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub in_flight: u32,

    /// Time of the first event (RFC 3339); by default such that the log ends now, or at
    /// 2026-01-01T00:00Z if it never ends
    #[arg(long, value_name = "TIME")]
    pub start: Option<DateTime<Utc>>,

    /// Microseconds from one event to the next, on average
    #[arg(long, default_value_t = 1_000, value_name = "MICROS", value_parser = clap::value_parser!(i64).range(1..=86_400_000_000))]
    pub step: i64,

    /// Share of the events that break the contract, to see dead letters (0–1)
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub invalid: f64,
}

impl Shape {
    /// The generator's configuration, for a log that ends at `now` unless it says otherwise.
    pub fn config(&self, now: DateTime<Utc>) -> Config {
        let events = if self.events == 0 { u64::MAX } else { self.events };
        let length = i64::try_from(events).unwrap_or(i64::MAX).saturating_mul(self.step);
        let start = self.start.map_or_else(
            || now.timestamp_micros().saturating_sub(length),
            |start| start.timestamp_micros(),
        );
        let defaults = Config::default();
        Config {
            seed: self.seed,
            events,
            start: if start < 0 { defaults.start } else { start },
            step: self.step,
            organizations: self.organizations,
            users: self.users,
            in_flight: self.in_flight,
            invalid_share: self.invalid,
            ..defaults
        }
    }
}

/// Somewhere to put records.
enum Sink {
    Lines(Box<dyn Write>),
    Kafka(Box<Publisher>),
}

impl Sink {
    fn put(&mut self, record: &Record) -> anyhow::Result<()> {
        match self {
            Self::Lines(out) => {
                out.write_all(&record.value)?;
                out.write_all(b"\n")?;
                Ok(())
            }
            Self::Kafka(publisher) => Ok(publisher.send(record.topic.name(), &record.key, &record.value)?),
        }
    }

    fn wait(&mut self, pause: Duration) -> anyhow::Result<()> {
        match self {
            Self::Lines(out) => {
                // Whoever reads a paced stream wants its events when they happen.
                out.flush()?;
                std::thread::sleep(pause);
            }
            Self::Kafka(publisher) => publisher.wait(pause),
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Lines(out) => Ok(out.flush()?),
            Self::Kafka(publisher) => {
                publisher.flush()?;
                eprintln!("{} events acknowledged by Kafka", publisher.acknowledged());
                Ok(())
            }
        }
    }
}

/// Runs the command.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(contract) = &options.contract {
        return contract::run(contract);
    }
    let mut sink = match (&options.file, options.to) {
        (Some(path), _) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Sink::Lines(Box::new(BufWriter::with_capacity(1 << 20, file)))
        }
        (None, Target::Stdout) => Sink::Lines(Box::new(BufWriter::with_capacity(1 << 18, io::stdout().lock()))),
        (None, Target::Kafka) => Sink::Kafka(Box::new(Publisher::connect(&options.kafka.cluster()?)?)),
    };
    write(options, &mut sink)?;
    sink.finish()
}

fn write(options: &Options, sink: &mut Sink) -> anyhow::Result<()> {
    let follows_clock = options.rate.is_some() && options.shape.start.is_none();
    let mut records = Log::new(options.shape.config(clock::now())).iter();
    let mut pace = Pace::new(options.rate);
    let mut record = Record::default();
    if follows_clock {
        records.set_time(clock::now().timestamp_micros());
    }
    while records.next_into(&mut record) {
        sink.put(&record)?;
        if let Some(pause) = pace.step() {
            sink.wait(pause)?;
            if follows_clock {
                records.set_time(clock::now().timestamp_micros());
            }
        }
    }
    Ok(())
}
