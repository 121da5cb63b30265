//! The query service as a program.

use std::process::ExitCode;

use clap::Parser;
use recap_query::QueryArgs;
use recap_telemetry::{LogOutput, Service, Telemetry, TelemetryConfig, observe_process};
use tokio::signal::unix::{SignalKind, signal};

/// Answers are made in one thread and freed in another; the C library's allocator takes a lock for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Serves recap's conversations to dashboards over HTTP.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    let config = match command.query.validate() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(config, &command.telemetry).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "recap-query failed");
            eprintln!("recap-query: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: recap_query::Config, telemetry: &TelemetryConfig) -> anyhow::Result<()> {
    let service = Service {
        name: "recap-query",
        version: env!("CARGO_PKG_VERSION"),
        logs: LogOutput::Stdout,
    };
    let telemetry = Telemetry::start(telemetry, service)?;
    observe_process(&telemetry.meter());
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = recap_query::serve(config, telemetry.registry().clone()).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: open requests may finish");
    // A second signal is an order.
    tokio::select! {
        _ = server.stop() => Ok(()),
        _ = terminate.recv() => anyhow::bail!("stopped by a second signal"),
        _ = interrupt.recv() => anyhow::bail!("stopped by a second signal"),
    }
}
