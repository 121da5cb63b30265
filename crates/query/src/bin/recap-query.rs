//! The query service as a program.

use std::process::ExitCode;

use clap::Parser;
use recap_query::{Config, QueryArgs};
use recap_service::{
    descriptors,
    exit::{EXIT_CODES, Exit},
    stop::Stop,
};
use recap_telemetry::{LogOutput, Service, Telemetry, TelemetryConfig, observe_process};

/// Answers are made in one thread and freed in another; the C library's allocator takes a lock for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How values are written, whatever they are for.
const VALUES: &str = "A duration needs its unit (250ms, 45s, 2m, 1h) and is at most 24h. A size is bytes or has one (64KiB, 96MiB, 1GiB).";

/// Serves recap's conversations to dashboards over HTTP.
#[derive(Parser)]
#[command(version, after_help = format!("{VALUES}\n\n{EXIT_CODES}"))]
struct Command {
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    let service = Service {
        name: "recap-query",
        version: env!("CARGO_PKG_VERSION"),
        logs: LogOutput::Stdout,
    };
    let config = match command.query.config() {
        Ok(config) => config,
        Err(error) => return invalid(&error),
    };
    let telemetry = match Telemetry::start(&command.telemetry, service) {
        Ok(telemetry) => telemetry,
        Err(error) => return invalid(&error),
    };
    observe_process(&telemetry.meter());
    let exit = run(config, &telemetry).await.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "recap-query failed");
        eprintln!("recap-query: {error:#}");
        Exit::Failed
    });
    drop(telemetry);
    exit.into()
}

fn invalid(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("recap-query: {error}");
    Exit::InvalidConfig.into()
}

async fn run(config: Config, telemetry: &Telemetry) -> anyhow::Result<Exit> {
    let stop = Stop::on_signals()?;
    descriptors::raise_limit();
    let mut server = recap_query::serve(config, telemetry.registry().clone()).await?;
    tokio::select! {
        () = stop.soft.cancelled() => {}
        crashed = server.crashed() => return Err(crashed.into()),
    }
    tokio::select! {
        finished = server.stop() => Ok(if finished { Exit::Stopped } else { Exit::DeadlinePassed }),
        () = stop.hard.cancelled() => Exit::SecondSignal.now(),
    }
}
