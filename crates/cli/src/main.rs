//! The operator's tool. Each command is one file named after it; none of them holds logic that a service needs.

mod archive;
mod clerk;
mod dead_letters;
mod dev;
mod events;
mod healthy;
mod map;
mod migrate;
mod private_file;
mod rebuild;
mod time;
mod token;

use clap::{Parser, Subcommand};

/// A rebuild's states are many small allocations made in one thread and freed in another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One ready-to-read row per conversation, from Kafka to the dashboard
#[derive(Debug, Parser)]
#[command(name = "recap", version, max_term_width = 110)]
#[command(
    after_help = "Start with `recap dev`: everything on this machine in one process, with sample traffic.\n\
                  The services themselves are `recap-projector` and `recap-query`."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Each command's help stands at its options.
#[derive(Debug, Subcommand)]
enum Command {
    Dev(Box<dev::Options>),
    Migrate(migrate::Options),
    Rebuild(Box<rebuild::Options>),
    Archive(archive::Options),
    Clerk(clerk::Options),
    DeadLetters(dead_letters::Options),
    Token(token::Options),
    Events(events::Options),
    Map(map::Options),
    Healthy(healthy::Options),
}

fn main() -> anyhow::Result<()> {
    recap_log::silence_header_panics();
    match run(Cli::parse().command) {
        // `recap events | head` has done what it should.
        Err(error) if is_closed_pipe(&error) => Ok(()),
        result => result,
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    // The others write logs of their own.
    if !matches!(command, Command::Dev(_) | Command::Rebuild(_) | Command::Clerk(_)) {
        recap_telemetry::warnings_on_stderr();
    }
    match command {
        Command::Dev(options) => wait_for(dev::run(*options)),
        Command::Migrate(options) => wait_for(migrate::run(&options)),
        Command::Rebuild(options) => wait_for(rebuild::run(*options)),
        Command::Archive(options) => wait_for(archive::run(options)),
        Command::Clerk(options) => wait_for(clerk::run(options)),
        Command::DeadLetters(options) => dead_letters::run(&options),
        Command::Token(options) => token::run(&options),
        Command::Events(options) => events::run(&options),
        Command::Map(options) => map::run(&options),
        Command::Healthy(options) => wait_for(healthy::run(options)),
    }
}

fn wait_for(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(command)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
