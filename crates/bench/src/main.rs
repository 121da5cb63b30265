//! `recap-bench`: how fast recap is, and against what. `write` measures the log into the database, `live` an hour of traffic, `read` the API under load,
//! `attack` the API under attack.
//!
//! A program of its own: it brings servers, a generator and baselines that no production image should hold. It measures the
//! real services as processes of their own, never parts of them. Start reading at `write` and `read`, each one table; a row is
//! a file named after what it measures.

mod attack;
mod backlog;
mod baseline;
mod cpu;
mod floor;
mod freshness;
mod http;
mod limit;
mod live;
mod load;
mod machine;
mod mapped;
mod memory_server;
mod read;
mod rebuild;
mod report;
mod samples;
mod service;
mod source;
mod stack;
mod stored;
mod tables;
mod traffic;
mod write;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use recap_log::KafkaArgs;
use secrecy::SecretString;

/// As in `recap`, whose rebuild is measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure recap on this machine
///
/// Starts Apache Kafka and PostgreSQL of its own (or uses given ones: `DATABASE_URL`, `KAFKA_BOOTSTRAP_SERVERS`), runs the real
/// services as processes of their own, and prints a table. It is a benchmark: what counts are the ratios, and the machine
/// should have nothing else to do. Databases named `recap_bench_*` are dropped and created.
#[derive(Debug, Parser)]
#[command(name = "recap-bench", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The log into the database: limit, rebuild, backlog, two baselines, freshness, memory, growth, cost
    Write(write::Options),
    /// Live traffic for an hour, a line a minute: freshness, dead rows, vacuums, bytes, cores, memory
    Live(live::Options),
    /// The API under load: pages cached and not, filters, statistics, whole ranges, a stampede
    Read(read::Options),
    /// The query service under attack, beside clients who mean well: what they see, and its memory
    Attack(attack::Options),
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

    /// PostgreSQL 15 or newer, `postgres://user:password@host/database` [default: a private server]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<SecretString>,
}

impl Common {
    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == row)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if cfg!(debug_assertions) {
        eprintln!("This program is not optimized: build it with --release, or the figures mean nothing.");
    }
    match cli.command {
        Command::Write(write) => write::run(&write).await,
        Command::Live(live) => live::run(&live).await,
        Command::Read(read) => read::run(&read).await,
        Command::Attack(attack) => attack::run(&attack).await,
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
