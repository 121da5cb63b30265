//! `recap bench`: how fast recap is, against what: the two tables of PERFORMANCE.md.

mod backlog;
mod baseline;
mod freshness;
mod http;
mod limit;
mod load;
mod machine;
mod memory_server;
mod read;
mod rebuild;
mod report;
mod samples;
mod service;
mod source;
mod stack;
mod stored;
mod write;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use recap_log::KafkaArgs;

use crate::migrate::Database;

/// Measure recap on this machine
///
/// Starts Apache Kafka and PostgreSQL of its own (or uses given ones: `DATABASE_URL`, `KAFKA_BOOTSTRAP_SERVERS`), runs the real
/// services as processes of their own, and prints a table. It is a benchmark: what counts are the ratios, and the machine
/// should have nothing else to do. Databases named `recap_bench_*` are dropped and created.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The log into the database: limit, rebuild, backlog, two baselines, freshness, memory, growth, cost
    Write(write::Options),
    /// The API under load: pages cached and not, filters, statistics, whole ranges, a stampede
    Read(read::Options),
    /// What `read` measures its limit with
    #[command(hide = true)]
    MemoryServer,
}

/// What both have in common.
#[derive(Clone, Debug, Args)]
struct Common {
    /// Two minutes on 2 cores: less of everything, fewer rounds
    #[arg(long)]
    quick: bool,

    /// Write the results as JSON too (`-` is standard output, in place of the table)
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,

    /// Only these rows of the table, separated by commas
    #[arg(long, value_name = "ROWS", value_delimiter = ',')]
    only: Vec<String>,

    #[command(flatten)]
    database: Database,
}

impl Common {
    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == row)
    }
}

/// Runs the benchmark asked for.
pub async fn run(options: Options) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("This program is not optimized: build it with --release, or the figures mean nothing.");
    }
    match options.command {
        Command::Write(write) => write::run(&write).await,
        Command::Read(read) => read::run(&read).await,
        Command::MemoryServer => memory_server::serve().await,
    }
}

/// The broker's options are the writing benchmark's only.
#[derive(Clone, Debug, Args)]
struct Log {
    /// Events in the log [default: 1,000,000; 200,000 with --quick]
    #[arg(long, value_name = "N")]
    events: Option<u64>,

    /// Partitions of each topic
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,

    #[command(flatten)]
    kafka: KafkaArgs,
}
