//! `recap-bench live`: live traffic for an hour, one line a minute. What a minute's rows cost is in `write`; this shows whether it stays so, with vacuum,
//! checkpoints and growing tables.

mod minute;
mod plot;

use std::{
    fs::File,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;
use minute::Minute;
use recap_generator::Config;
use recap_log::KafkaArgs;
use secrecy::SecretString;
use serde_json::json;

use super::{
    backlog::{prepare, projector_variables},
    freshness::{ORGANIZATION, Probes, Usage, caught_up, start_query},
    machine::Machine,
    report::whole,
    samples::Samples,
    service::Service,
    stack::{Broker, Databases, float, postgres_settings},
    tables::Tables,
    traffic::{Traffic, WARM_UP, create_topics, live, publish},
};

#[derive(Debug, Args)]
#[command(after_help = "One minute: `recap-bench live --seconds 60 --every 5 --events 100000 --plot live.svg`")]
pub struct Options {
    /// Events a second
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// Seconds of traffic, once the projector has caught up with the log
    #[arg(long, default_value_t = 3_600, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Seconds of a line
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,

    /// Events in the log before the traffic
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    events: u64,

    /// Events of the traffic itself in the log before it begins: the longer it has gone on, the longer are the conversations that last
    #[arg(long, default_value_t = WARM_UP, value_name = "N")]
    warm_up: u64,

    /// Partitions of each topic
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,

    /// Write JSON, an object a line: the machine and what was asked for, then the minutes as they come, then the whole
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,

    /// Draw the minutes as SVG, anew with each of them
    #[arg(long, value_name = "PATH")]
    plot: Option<PathBuf>,

    /// PostgreSQL 15 or newer, `postgres://user:password@host/database` [default: a private server]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<SecretString>,

    #[command(flatten)]
    kafka: KafkaArgs,
}

/// Runs the traffic and writes its lines.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    eprintln!("starting Apache Kafka and PostgreSQL");
    let broker = Broker::start(options.kafka.bootstrap_servers.as_deref()).await?;
    let databases = Databases::start(options.database_url.as_ref()).await?;
    let machine = Machine::this(vec![String::from("Apache Kafka"), databases.version().await?]);
    let mut lines = Lines::open(options)?;
    println!(
        "{machine}\n{} events/s for {} s\n",
        whole(f64::from(options.rate)),
        options.seconds
    );
    let settings = json!({
        "machine": machine, "rate": options.rate, "seconds": options.seconds, "every": options.every, "events": options.events,
        "warm_up": options.warm_up,
        "partitions": options.partitions, "postgresql": postgres_settings(),
    });
    lines.write(&settings)?;
    create_topics(&broker, options.partitions).await?;
    let log = Config {
        events: options.events,
        ..Config::default()
    };
    publish(broker.cluster(), log, 0..options.events).await?;
    publish(broker.cluster(), live(), 0..options.warm_up).await?;
    let summary = traffic(options, &broker, &databases, &mut lines).await?;
    println!("\n{}", summary.text);
    lines.write(&summary.json)
}

/// The traffic with the services that it is for.
async fn traffic(
    options: &Options,
    broker: &Broker,
    databases: &Databases,
    lines: &mut Lines<'_>,
) -> anyhow::Result<Summary> {
    let database = prepare(databases, None).await?;
    let group = "bench-live";
    let mut projector = Service::start("recap-projector", &projector_variables(broker, &database, group))?;
    caught_up(&broker.log(group), &mut projector).await?;
    let query = start_query(&database, ORGANIZATION, &[]).await?;
    let mut probes = Probes::connect(broker, &query.target, options.warm_up).await?;
    probes.one().await?;
    let traffic = Traffic::start(broker.cluster(), options.warm_up, f64::from(options.rate)).await?;
    let (begun, mut latency, mut minutes) = (Instant::now(), Samples::default(), Vec::new());
    let mut before = (
        Instant::now(),
        Usage::of(&projector),
        traffic.published(),
        Tables::of(&database).await?,
    );
    let first = before.clone();
    println!("{}", Minute::HEADER);
    for end in ends(options) {
        let of_minute = probes.until(begun + end).await?;
        projector.check()?;
        traffic.check()?;
        let now = (
            Instant::now(),
            Usage::of(&projector),
            traffic.published(),
            Tables::of(&database).await?,
        );
        let time = now.0 - before.0;
        let (projector_cores, postgresql_cores) = now.1.cores_since(before.1, time);
        let minute = Minute::new(
            begun.elapsed(),
            float(now.2 - before.2) / time.as_secs_f64(),
            &of_minute,
            (projector_cores, postgresql_cores),
            projector.memory()?.now,
            (now.3.cost_since(&before.3, now.2 - before.2), now.3.clone()),
        );
        println!("{minute}");
        lines.write(&minute)?;
        minutes.push(minute);
        lines.draw(&minutes, options)?;
        latency.extend(of_minute);
        before = now;
    }
    let summary = Summary::of(&latency, &minutes, before.3.cost_since(&first.3, before.2 - first.2));
    traffic.stop().await?;
    query.service.stop()?;
    projector.stop()?;
    databases.drop(database).await?;
    Ok(summary)
}

/// When each line is due, the last one at the end.
fn ends(options: &Options) -> impl Iterator<Item = Duration> {
    let (every, seconds) = (options.every, options.seconds);
    (1..=seconds.div_ceil(every)).map(move |line| Duration::from_secs((line * every).min(seconds)))
}

/// Where lines and picture go.
struct Lines<'o> {
    json: Option<File>,
    plot: Option<&'o PathBuf>,
}

impl<'o> Lines<'o> {
    fn open(options: &'o Options) -> anyhow::Result<Self> {
        let create = |path: &PathBuf| File::create(path).with_context(|| format!("cannot write {}", path.display()));
        Ok(Self {
            json: options.json.as_ref().map(create).transpose()?,
            plot: options.plot.as_ref(),
        })
    }

    fn write(&mut self, line: &impl serde::Serialize) -> anyhow::Result<()> {
        match &mut self.json {
            Some(file) => writeln!(file, "{}", serde_json::to_string(line)?).context("cannot write a line of JSON"),
            None => Ok(()),
        }
    }

    fn draw(&self, minutes: &[Minute], options: &Options) -> anyhow::Result<()> {
        let Some(path) = self.plot else { return Ok(()) };
        let title = format!("Live traffic at {} events/s", whole(f64::from(options.rate)));
        std::fs::write(path, plot::draw(&title, minutes)).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// All minutes together.
struct Summary {
    text: String,
    json: serde_json::Value,
}

impl Summary {
    fn of(latency: &Samples, minutes: &[Minute], cost: super::tables::Cost) -> Self {
        let slowest = minutes.iter().map(|minute| minute.p99_ms).fold(0.0, f64::max);
        let dead = minutes.iter().map(|minute| minute.dead_rows).max().unwrap_or(0);
        let vacuums = minutes.last().map_or(0, |minute| minute.autovacuums);
        let cores: Samples = minutes.iter().map(|minute| minute.projector_cores).collect();
        let postgresql: Samples = minutes.iter().map(|minute| minute.postgresql_cores).collect();
        let (median, slow) = (latency.median(), latency.percentile(99));
        let text = format!(
            "p50 {median:.0} ms, p99 {slow:.0} ms of {} probes, the slowest minute's p99 {slowest:.0} ms; {:.2} + {:.2} cores (medians of the minutes); {:.1}% of the updates of \
             conversations heap-only; {:.0} B of WAL, {:.0} B of heap, {:.0} B of indexes an event; {dead} dead rows at most, {vacuums} autovacuums",
            latency.len(),
            cores.median(),
            postgresql.median(),
            cost.heap_only * 100.0,
            cost.wal_per_event,
            cost.heap_per_event,
            cost.index_per_event,
        );
        let json = json!({
            "p50_ms": median, "p99_ms": slow, "probes": latency.len(), "slowest_minute_p99_ms": slowest,
            "projector_cores": cores.median(), "postgresql_cores": postgresql.median(), "heap_only_share": cost.heap_only,
            "wal_bytes_per_event": cost.wal_per_event, "heap_bytes_per_event": cost.heap_per_event,
            "index_bytes_per_event": cost.index_per_event, "most_dead_rows": dead, "autovacuums": vacuums,
        });
        Self { text, json }
    }
}
