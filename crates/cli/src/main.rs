//! The operator's tool. Each command is one file named after it; none of them holds logic that a service needs.

mod events;
mod kafka;
mod pace;
mod publisher;

use clap::{Parser, Subcommand};

/// One ready-to-read row per conversation, from Kafka to the dashboard
#[derive(Debug, Parser)]
#[command(name = "recap", version, max_term_width = 110)]
#[command(
    after_help = "Start with `recap dev`: everything on this machine in one process, with sample traffic."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the sample event log to standard output, a file or Kafka
    Events(events::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Events(options) => events::run(&options),
    }
}
