//! The projector as a service.

use std::process::ExitCode;

use clap::Parser;
use recap_projector::{Projector, ProjectorArgs, ProjectorError, Settings};
use recap_service::{
    exit::{EXIT_CODES, Exit},
    stop::Stop,
};
use recap_telemetry::{LogOutput, Service, Telemetry, TelemetryConfig, observe_process};

/// States are many small allocations made in one thread and freed in another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Folds the events of an AI-agent platform from Kafka into one row per conversation in PostgreSQL.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Command {
    #[command(flatten)]
    projector: ProjectorArgs,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

#[tokio::main]
async fn main() -> ExitCode {
    recap_log::silence_header_panics();
    let command = Command::parse();
    let settings = match command.projector.settings() {
        Ok(settings) => settings,
        Err(error) => return invalid(&error),
    };
    let service = Service {
        name: "recap-projector",
        version: env!("CARGO_PKG_VERSION"),
        logs: LogOutput::Stdout,
    };
    let telemetry = match Telemetry::start(&command.telemetry, service) {
        Ok(telemetry) => telemetry,
        Err(error) => return invalid(&error),
    };
    observe_process(&telemetry.meter());
    let exit = exit(run(settings, &telemetry).await);
    drop(telemetry);
    exit.into()
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn invalid(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("recap-projector: {error}");
    Exit::InvalidConfig.into()
}

async fn run(settings: Settings, telemetry: &Telemetry) -> Result<(), ProjectorError> {
    // Before anything else, so that a signal always ends it in order. Registering fails only for signals that no process may catch.
    let Ok(stop) = Stop::on_signals() else {
        return Err(ProjectorError::Crashed("signal handler"));
    };
    let mut projector = Projector::start(settings, telemetry.registry()).await?;
    tokio::select! {
        result = projector.wait() => return result,
        () = stop.soft.cancelled() => {}
    }
    projector.stop();
    tokio::select! {
        result = projector.wait() => result,
        () = stop.hard.cancelled() => Exit::SecondSignal.now(),
    }
}

fn exit(result: Result<(), ProjectorError>) -> Exit {
    match result {
        Ok(()) => {
            tracing::info!("stopped");
            Exit::Stopped
        }
        Err(error) if error.drain_timed_out() => {
            tracing::warn!(%error, "stopped");
            Exit::DeadlinePassed
        }
        Err(error) => {
            tracing::error!(%error, "failed");
            if error.too_many_dead_letters().is_some() {
                Exit::TooManyDeadLetters
            } else {
                Exit::Failed
            }
        }
    }
}
