//! `recap-bench write`: the first table of deploy/benchmarks.md.

mod live_rows;

use std::time::Duration;

use clap::Args;
use recap_generator::Config;
use tokio::runtime::Handle;

use super::{
    Common,
    backlog::{self, Backlog, prepare},
    baseline::{batched, single},
    floor, limit,
    machine::Machine,
    mapped, rebuild,
    report::{Report, Row, Verdict, whole},
    samples::Samples,
    stack::{Broker, Databases, float, postgres_settings},
    stored::Stored,
    tables::Cost,
    traffic::{create_topics, publish},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Rows for --only: limit, backlog (with cost), mapped, rebuild (with its floor), baseline-a, baseline-b, growth (with memory), freshness \
                        (with live cost), memory-payloads. Ratios need the limit and the backlog, which are then measured as well."
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
    /// Events that the topics hold, of the log and of live traffic.
    published: u64,
    /// Those of live traffic.
    live: u64,
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
        published: plan.events,
        live: 0,
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
        create_topics(&self.broker, self.options.log.partitions).await?;
        publish(self.broker.cluster(), self.log(), 0..self.plan.events).await
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
        // The last two lengthen the log.
        if self.wants("freshness") {
            self.freshness(backlog).await?;
        }
        if self.wants("memory-payloads") {
            self.memory_payloads().await?;
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
        let median = |of: fn(&Cost) -> f64| runs.iter().map(|run| of(&run.cost)).collect::<Samples>().median();
        let cost = Cost {
            wal_per_event: median(|cost| cost.wal_per_event),
            heap_per_event: median(|cost| cost.heap_per_event),
            index_per_event: median(|cost| cost.index_per_event),
            heap_only: median(|cost| cost.heap_only),
        };
        self.report.add(cost_row("cost", &cost));
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
        let (mut rates, mut floors) = (Samples::default(), Samples::default());
        for _ in 0..self.plan.rounds {
            self.groups += 1;
            let group = format!("bench-{}", self.groups);
            let database = prepare(&self.databases, None).await?;
            backlog::run(&self.broker, &database, &group, self.plan.events, None).await?;
            rates.add(rebuild::rate(&self.broker, &database, &group, self.plan.events).await?);
            floors.add(floor::rate(&self.broker, &database, self.plan.events).await?);
            self.databases.drop(database).await?;
        }
        let (rate, floor) = (rates.median(), floors.median());
        let of_limit = floor / limit;
        let text = format!(
            "{} events/s, {of_limit:.2} of the limit{}",
            whole(floor),
            spread(&floors)
        );
        let row = Row::new("floor of a rebuild", text, "1", Verdict::Reported)
            .with("events_per_second", floor)
            .with("of_limit", of_limit);
        self.report.add(row);
        let (of_limit, of_floor) = (rate / limit, rate / floor);
        let text = format!(
            "{} events/s, {of_floor:.2} of the floor, {of_limit:.2} of the limit{}",
            whole(rate),
            spread(&rates)
        );
        let met = Verdict::of(of_floor >= 0.7 && of_limit >= 0.35);
        let row = Row::new("rebuild", text, "≥ 0.7 of the floor, ≥ 0.35 of the limit", met)
            .with("events_per_second", rate)
            .with("of_floor", of_floor)
            .with("of_limit", of_limit);
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
}

/// How far the rounds were apart, where there were several.
fn spread(samples: &Samples) -> String {
    if samples.len() < 2 {
        return String::new();
    }
    format!(" (± {:.0}% of {} rounds)", samples.spread() * 100.0, samples.len())
}

/// What an event leaves behind.
fn cost_row(what: &'static str, cost: &Cost) -> Row {
    let (heap, index) = (cost.heap_per_event, cost.index_per_event);
    let text = format!(
        "{} B of WAL, {} B of heap, {} B of indexes an event; {:.1}% of the updates of conversations heap-only",
        whole(cost.wal_per_event),
        whole(heap),
        whole(index),
        cost.heap_only * 100.0
    );
    Row::new(what, text, "reported", Verdict::Reported)
        .with("wal_bytes_per_event", cost.wal_per_event)
        .with("table_bytes_per_event", heap + index)
        .with("heap_bytes_per_event", heap)
        .with("index_bytes_per_event", index)
        .with("heap_only_share", cost.heap_only)
}
