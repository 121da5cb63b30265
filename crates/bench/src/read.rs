//! `recap-bench read`: the second table of deploy/benchmarks.md.

mod busy;
mod paths;
mod pgbench;
mod rows;

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use paths::Paths;
use recap_service::clock;

use super::{
    Common,
    freshness::{self, Query, start_query},
    machine::Machine,
    report::{Report, whole},
    stack::{Database, Databases, postgres_settings},
    stored::{self, Contents, LARGEST, Stored},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Rows for --only: cached (with the limit), uncached (with half load), pgbench, old-range, depth, growth, metadata, filters, orders, figures, whole, stats, stampede, busy."
)]
pub struct Options {
    #[command(flatten)]
    common: Common,

    /// Conversations in the table [default: 1,000,000; 100,000 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1_000..=1_000_000_000))]
    conversations: Option<i64>,
}

/// How much of everything.
struct Plan {
    conversations: i64,
    users: i64,
    /// Of one load of closed-loop clients.
    time: Duration,
    /// Conversations stored for the growth row: few, many.
    growth: (i64, i64),
}

impl Plan {
    fn of(options: &Options) -> Self {
        if options.common.quick {
            let conversations = options.conversations.unwrap_or(100_000);
            Self {
                conversations,
                users: conversations / 10,
                time: Duration::from_secs(3),
                growth: (20_000, 200_000),
            }
        } else {
            Self {
                conversations: options.conversations.unwrap_or(1_000_000),
                users: 100_000,
                time: Duration::from_secs(10),
                growth: (100_000, 10_000_000),
            }
        }
    }
}

/// The table, the service over it, and what is known of both.
struct Bench {
    plan: Plan,
    database: Database,
    query: Query,
    paths: Paths,
    report: Report,
}

/// Runs all rows asked for and publishes the table.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let plan = Plan::of(options);
    eprintln!("starting PostgreSQL");
    let databases = Databases::start(options.common.database_url.as_ref()).await?;
    let machine = Machine::this(vec![databases.version().await?]);
    let mut report = Report::new("read", machine);
    report.setting("conversations", plan.conversations);
    report.setting("quick", options.common.quick);
    report.setting("postgresql", postgres_settings());
    report.setting("database_connections", freshness::connections());
    let now = clock::now();
    let database = filled(&databases, plan.conversations, plan.users, Contents::Full, now).await?;
    let query = start_query(&database, LARGEST, &[]).await?;
    let mut bench = Bench {
        paths: Paths::new(now, plan.conversations, plan.users),
        plan,
        database,
        query,
        report,
    };
    let wants = |row: &str| options.common.wants(row);
    if wants("cached") {
        bench.cached_page().await?;
    }
    if wants("uncached") {
        bench.uncached_page().await?;
    }
    if wants("pgbench") {
        bench.against_pgbench().await?;
    }
    if wants("old-range") {
        bench.old_range().await?;
    }
    if wants("depth") {
        bench.depth().await?;
    }
    if wants("metadata") {
        bench.metadata_filter().await?;
    }
    if wants("filters") {
        bench.other_filters().await?;
    }
    if wants("orders") {
        bench.other_orders().await?;
    }
    if wants("figures") {
        bench.figures().await?;
    }
    if wants("whole") {
        bench.whole_range().await?;
    }
    if wants("stats") {
        bench.stats().await?;
    }
    if wants("stampede") {
        bench.stampede().await?;
    }
    // Last: it changes what the table holds.
    if wants("busy") {
        bench.busy_organization(now).await?;
    }
    let Bench {
        database,
        query,
        mut report,
        plan,
        ..
    } = bench;
    query.service.stop()?;
    databases.drop(database).await?;
    if wants("growth") {
        report.add(rows::growth(&databases, plan.growth, plan.time).await?);
    }
    report.publish(options.common.json.as_deref())
}

/// A database with that many conversations, all with what dashboards show.
async fn filled(
    databases: &Databases,
    conversations: i64,
    users: i64,
    contents: Contents,
    now: DateTime<Utc>,
) -> anyhow::Result<Database> {
    #[expect(clippy::cast_precision_loss, reason = "shown rounded")]
    let shown = whole(conversations as f64);
    eprintln!("filling in {shown} conversations");
    let database = databases.create().await?;
    let stored = Stored {
        conversations,
        users,
        contents,
    };
    stored::fill(&database, stored, now).await?;
    Ok(database)
}
