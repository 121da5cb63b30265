//! `recap-bench write`: the first table of deploy/benchmarks.md.

use std::time::{Duration, Instant};

use clap::Args;
use recap_generator::{Config, Log, Record};
use recap_log::{Publisher, Topic};
use tokio::runtime::Handle;

use super::{
    Common,
    backlog::{self, Backlog, prepare},
    baseline::{batched, single},
    freshness, limit,
    machine::Machine,
    mapped, rebuild,
    report::{Report, Row, Verdict, whole},
    samples::Samples,
    stack::{Broker, Databases, postgres_settings},
    stored::{Contents, Stored},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Rows for --only: limit, backlog, mapped, rebuild, baseline-a, baseline-b, freshness, growth (with memory). \
                        Ratios need the limit and the backlog, which are then measured as well."
)]
pub struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    log: super::Log,
}

/// How much of everything.
struct Plan {
    events: u64,
    rounds: usize,
    baseline_budget: Duration,
    batches: &'static [usize],
    freshness: Duration,
    /// Conversations already stored: few, many.
    stored: (i64, i64),
}

impl Plan {
    fn of(options: &Options) -> Self {
        if options.common.quick {
            Self {
                events: options.log.events.unwrap_or(200_000),
                rounds: 1,
                baseline_budget: Duration::from_secs(5),
                batches: &[2_000, 10_000],
                freshness: Duration::from_secs(10),
                stored: (10_000, 200_000),
            }
        } else {
            Self {
                events: options.log.events.unwrap_or(1_000_000),
                rounds: 3,
                baseline_budget: Duration::from_secs(20),
                batches: &[500, 2_000, 5_000, 20_000],
                freshness: Duration::from_secs(30),
                stored: (100_000, 10_000_000),
            }
        }
    }
}

struct Bench<'o> {
    options: &'o Options,
    plan: Plan,
    broker: Broker,
    databases: Databases,
    report: Report,
    groups: u32,
}

/// Runs all rows asked for and publishes the table.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let plan = Plan::of(options);
    eprintln!("starting Apache Kafka and PostgreSQL");
    let broker = Broker::start(options.log.kafka.bootstrap_servers.as_deref()).await?;
    let databases = Databases::start(options.common.database_url.as_ref()).await?;
    let machine = Machine::this(vec![String::from("Apache Kafka"), databases.version().await?]);
    let mut report = Report::new("write", machine);
    report.setting("events", plan.events);
    report.setting("partitions", options.log.partitions);
    report.setting("rounds", plan.rounds);
    report.setting("quick", options.common.quick);
    report.setting("postgresql", postgres_settings());
    let mut bench = Bench {
        options,
        plan,
        broker,
        databases,
        report,
        groups: 0,
    };
    bench.publish_log().await?;
    bench.rows().await?;
    bench.report.publish(options.common.json.as_deref())
}

impl Bench<'_> {
    fn log(&self) -> Config {
        Config {
            events: self.plan.events,
            ..Config::default()
        }
    }

    async fn publish_log(&self) -> anyhow::Result<()> {
        for topic in Topic::ALL {
            self.broker
                .create_topic(topic.name(), self.options.log.partitions)
                .await?;
        }
        self.broker.create_topic("recap.dead-letters", 1).await?;
        let begun = Instant::now();
        let (kafka, log) = (self.broker.cluster(), Log::new(self.log()));
        let acknowledged = tokio::task::spawn_blocking(move || {
            let mut publisher = Publisher::connect(&kafka)?;
            let (mut records, mut record) = (log.iter(), Record::default());
            while records.next_into(&mut record) {
                publisher.send(record.topic.name(), &record.key, &record.value)?;
            }
            publisher.flush()?;
            anyhow::Ok(publisher.acknowledged())
        })
        .await??;
        eprintln!(
            "published {} events in {:.1} s",
            whole(float(acknowledged)),
            begun.elapsed().as_secs_f64()
        );
        Ok(())
    }

    async fn rows(&mut self) -> anyhow::Result<()> {
        let limit = self.limit().await?;
        let backlog = self.backlog(limit).await?;
        if self.wants("mapped") {
            self.mapped(backlog).await?;
        }
        if self.wants("rebuild") {
            self.rebuild(limit).await?;
        }
        if self.wants("baseline-a") {
            self.baseline_a(backlog).await?;
        }
        if self.wants("baseline-b") {
            self.baseline_b(backlog).await?;
        }
        if self.wants("growth") {
            self.growth().await?;
        }
        // The last, since its traffic lengthens the log.
        if self.wants("freshness") {
            self.freshness(backlog).await?;
        }
        Ok(())
    }

    fn wants(&self, row: &str) -> bool {
        self.options.common.wants(row)
    }

    async fn limit(&mut self) -> anyhow::Result<f64> {
        let kafka = self.broker.cluster();
        let rounds = self.plan.rounds;
        let best = tokio::task::spawn_blocking(move || {
            // One to warm up the page cache; then the better of one thread and two.
            limit::rate(&kafka, 1)?;
            let mut best = Samples::default();
            for consumers in [1, 2] {
                let rates = (0..rounds)
                    .map(|_| limit::rate(&kafka, consumers))
                    .collect::<anyhow::Result<Samples>>()?;
                if rates.median() > best.median() {
                    best = rates;
                }
            }
            anyhow::Ok(best)
        })
        .await??;
        let rate = best.median();
        let text = format!("{} events/s{}", whole(rate), spread(&best));
        self.report
            .add(Row::new("limit", text, "1", Verdict::Reported).with("events_per_second", rate));
        Ok(rate)
    }

    async fn backlog(&mut self, limit: f64) -> anyhow::Result<f64> {
        let mut runs = Vec::new();
        for _ in 0..self.plan.rounds {
            runs.push(self.backlog_run(None, None).await?);
        }
        let rates: Samples = runs.iter().map(|run| run.events_per_second).collect();
        let rate = rates.median();
        let part = rate / limit;
        let text = format!("{} events/s, {part:.2} of the limit{}", whole(rate), spread(&rates));
        let row = Row::new("backlog", text, "≥ 0.33 of the limit", Verdict::of(part >= 0.33))
            .with("events_per_second", rate)
            .with("of_limit", part);
        self.report.add(row);
        let wal: Samples = runs.iter().map(|run| run.wal_per_event).collect();
        let table: Samples = runs.iter().map(|run| run.table_per_event).collect();
        let text = format!(
            "{} B of WAL, {} B of table an event",
            whole(wal.median()),
            whole(table.median())
        );
        let row = Row::new("cost", text, "reported", Verdict::Reported)
            .with("wal_bytes_per_event", wal.median())
            .with("table_bytes_per_event", table.median());
        self.report.add(row);
        Ok(rate)
    }

    /// The backlog with a mapping for every topic.
    async fn mapped(&mut self, backlog: f64) -> anyhow::Result<()> {
        let folder = mapped::folder()?;
        let path = folder.path().display().to_string();
        let mut rates = Samples::default();
        for _ in 0..self.plan.rounds {
            rates.add(self.backlog_run(None, Some(&path)).await?.events_per_second);
        }
        let rate = rates.median();
        let part = rate / backlog;
        let text = format!("{} events/s, {part:.2} of the backlog{}", whole(rate), spread(&rates));
        let row = Row::new("mapped", text, "reported", Verdict::Reported)
            .with("events_per_second", rate)
            .with("of_backlog", part);
        self.report.add(row);
        Ok(())
    }

    async fn backlog_run(&mut self, stored: Option<Stored>, mappings: Option<&str>) -> anyhow::Result<Backlog> {
        self.groups += 1;
        let group = format!("bench-{}", self.groups);
        let database = prepare(&self.databases, stored).await?;
        let run = backlog::run(&self.broker, &database, &group, self.plan.events, mappings).await?;
        self.databases.drop(database).await?;
        Ok(run)
    }

    async fn rebuild(&mut self, limit: f64) -> anyhow::Result<()> {
        let mut rates = Samples::default();
        for _ in 0..self.plan.rounds {
            self.groups += 1;
            let group = format!("bench-{}", self.groups);
            let database = prepare(&self.databases, None).await?;
            backlog::run(&self.broker, &database, &group, self.plan.events, None).await?;
            rates.add(rebuild::rate(&self.broker, &database, &group, self.plan.events).await?);
            self.databases.drop(database).await?;
        }
        let rate = rates.median();
        let part = rate / limit;
        let text = format!("{} events/s, {part:.2} of the limit{}", whole(rate), spread(&rates));
        let row = Row::new("rebuild", text, "≥ 0.35 of the limit", Verdict::of(part >= 0.35))
            .with("events_per_second", rate)
            .with("of_limit", part);
        self.report.add(row);
        Ok(())
    }

    async fn baseline_a(&mut self, backlog: f64) -> anyhow::Result<()> {
        let mut best = (0.0, 0);
        for workers in [1, 4] {
            let database = self.databases.create().await?;
            let (kafka, url, budget) = (self.broker.cluster(), database.url.clone(), self.plan.baseline_budget);
            let runtime = Handle::current();
            let rate =
                tokio::task::spawn_blocking(move || single::rate(&kafka, &url, workers, budget, &runtime)).await??;
            if rate > best.0 {
                best = (rate, workers);
            }
            self.databases.drop(database).await?;
        }
        let (rate, workers) = best;
        let times = backlog / rate;
        let text = format!(
            "{} events/s with {workers} connections; backlog is {times:.0} ×",
            whole(rate)
        );
        let row = Row::new("baseline A", text, "reported", Verdict::Reported)
            .with("events_per_second", rate)
            .with("connections", f64::from(workers))
            .with("backlog_times", times);
        self.report.add(row);
        Ok(())
    }

    async fn baseline_b(&mut self, backlog: f64) -> anyhow::Result<()> {
        let mut best: Option<(f64, batched::Tuning)> = None;
        for &batch in self.plan.batches {
            for workers in [2, 4] {
                let tuning = batched::Tuning { batch, workers };
                let rate = self.baseline_b_run(tuning, self.plan.baseline_budget).await?;
                eprintln!(
                    "    batches of {batch}, {workers} connections: {} events/s",
                    whole(rate)
                );
                if best.is_none_or(|(known, _)| rate > known) {
                    best = Some((rate, tuning));
                }
            }
        }
        let Some((_, tuning)) = best else {
            return Ok(());
        };
        let mut rates = Samples::default();
        for _ in 0..self.plan.rounds {
            rates.add(self.baseline_b_run(tuning, Duration::MAX).await?);
        }
        let rate = rates.median();
        let times = backlog / rate;
        let text = format!(
            "{} events/s with batches of {} on {} connections{}; backlog is {times:.1} ×",
            whole(rate),
            whole(float(tuning.batch as u64)),
            tuning.workers,
            spread(&rates),
        );
        let row = Row::new("baseline B", text, "backlog ≥ 2 × B", Verdict::of(times >= 2.0))
            .with("events_per_second", rate)
            .with("batch", float(tuning.batch as u64))
            .with("connections", f64::from(tuning.workers))
            .with("backlog_times", times);
        self.report.add(row);
        Ok(())
    }

    async fn baseline_b_run(&self, tuning: batched::Tuning, budget: Duration) -> anyhow::Result<f64> {
        let database = self.databases.create().await?;
        let (kafka, url, runtime) = (self.broker.cluster(), database.url.clone(), Handle::current());
        let rate = tokio::task::spawn_blocking(move || batched::rate(&kafka, &url, tuning, budget, &runtime)).await??;
        self.databases.drop(database).await?;
        Ok(rate)
    }

    /// At a quarter of what the projector can take, and at a rate that most platforms never reach.
    async fn freshness(&mut self, backlog: f64) -> anyhow::Result<()> {
        let rows = [
            ("freshness", backlog / 4.0, (100.0, 500.0), "p50 ≤ 100 ms, p99 ≤ 500 ms"),
            (
                "freshness at 5,000/s",
                5_000.0,
                (10.0, 60.0),
                "p50 ≤ 10 ms, p99 ≤ 60 ms",
            ),
        ];
        let mut next = self.plan.events;
        for (name, rate, (most, slowest), goal) in rows {
            let log = (self.log(), next);
            let (live, after) = freshness::run(&self.broker, &self.databases, log, rate, self.plan.freshness).await?;
            next = after;
            let (median, slow) = (live.latency.median(), live.latency.percentile(99));
            let text = format!(
                "p50 {median:.0} ms, p99 {slow:.0} ms of {} probes at {} events/s",
                live.latency.len(),
                whole(rate),
            );
            let met = Verdict::of(median <= most && slow <= slowest);
            let row = Row::new(name, text, goal, met);
            self.report.add(row.with("p50_ms", median).with("p99_ms", slow));
            let (projector, postgresql) = (live.projector_cores, live.postgresql_cores);
            let text = format!("{projector:.2} + {postgresql:.2} cores at {} events/s", whole(rate));
            let (goal, met) = if name == "freshness" {
                ("reported", Verdict::Reported)
            } else {
                ("≤ 0.25 + 0.25", Verdict::of(projector <= 0.25 && postgresql <= 0.25))
            };
            let row = Row::new("live cost", text, goal, met);
            self.report.add(
                row.with("projector_cores", projector)
                    .with("postgresql_cores", postgresql),
            );
        }
        Ok(())
    }

    async fn growth(&mut self) -> anyhow::Result<()> {
        let (few, many) = self.plan.stored;
        let stored = |conversations| {
            Some(Stored {
                conversations,
                users: 1,
                contents: Contents::Rows,
            })
        };
        let small = self.backlog_run(stored(few), None).await?;
        eprintln!("  filling in {} conversations", whole(float(many.unsigned_abs())));
        let large = self.backlog_run(stored(many), None).await?;
        let ratio = large.events_per_second / small.events_per_second;
        let stored = |n: i64| whole(float(n.unsigned_abs()));
        let text = format!(
            "{} events/s with {} stored, {} with {}: {ratio:.2}",
            whole(small.events_per_second),
            stored(few),
            whole(large.events_per_second),
            stored(many),
        );
        let row = Row::new("growth", text, "≥ 0.85", Verdict::of(ratio >= 0.85)).with("ratio", ratio);
        self.report.add(row);
        let (before, after) = (small.memory.peak, large.memory.peak);
        let text = format!(
            "{before:.0} MiB with {} stored, {after:.0} MiB with {}",
            stored(few),
            stored(many)
        );
        let met = before.max(after) <= 512.0 && after <= before * 1.1 + 16.0;
        let row = Row::new("memory", text, "the same, ≤ 512 MiB", Verdict::of(met))
            .with("few_stored_mib", before)
            .with("many_stored_mib", after);
        self.report.add(row);
        Ok(())
    }
}

/// How far the rounds were apart, where there were several.
fn spread(samples: &Samples) -> String {
    if samples.len() < 2 {
        return String::new();
    }
    format!(" (± {:.0}% of {} rounds)", samples.spread() * 100.0, samples.len())
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 events")]
const fn float(number: u64) -> f64 {
    number as f64
}
