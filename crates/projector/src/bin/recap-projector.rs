//! The projector as a service.

use std::process::ExitCode;

use clap::Parser;
use recap_projector::{Projector, ProjectorConfig, ProjectorError, Settings};
use recap_telemetry::{LogOutput, Service, Telemetry, TelemetryConfig, observe_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// States are many small allocations made in one thread and freed in another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STOPPED: u8 = 0;
const FAILED: u8 = 1;
const INVALID_CONFIG: u8 = 2;
const TOO_MANY_DEAD_LETTERS: u8 = 3;
const DRAIN_TIMED_OUT: u8 = 4;
const HARD: i32 = 130;

const EXIT_CODES: &str = "Exit codes:
  0    stopped by SIGTERM or SIGINT; everything taken in is written
  1    failed; start it again
  2    the configuration is not valid; starting it again does not help
  3    too many dead letters (RECAP_DEAD_LETTER_MAX_RATIO); starting it again does not help before someone has looked
  4    stopped, but the drain timeout passed first; what was not written is read again at the next start
  130  stopped at once by a second signal; what was not written is read again at the next start";

/// Folds the events of an AI-agent platform from Kafka into one row per conversation in PostgreSQL.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Command {
    #[command(flatten)]
    projector: ProjectorConfig,
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
    let code = exit_code(run(settings, &telemetry).await);
    drop(telemetry);
    ExitCode::from(code)
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn invalid(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("recap-projector: {error}");
    ExitCode::from(INVALID_CONFIG)
}

async fn run(settings: Settings, telemetry: &Telemetry) -> Result<(), ProjectorError> {
    // Before anything else, so that a signal always ends it in order. Registering fails only for signals that no process may catch.
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return Err(ProjectorError::Crashed("signal handler"));
    };
    let mut projector = Projector::start(settings, telemetry.registry()).await?;
    tokio::select! {
        result = projector.wait() => return result,
        () = either(&mut terminate, &mut interrupt) => {}
    }
    tracing::info!("stopping: writing what was taken in");
    projector.stop();
    tokio::select! {
        result = projector.wait() => result,
        () = either(&mut terminate, &mut interrupt) => {
            tracing::warn!("second signal: stopping at once");
            std::process::exit(HARD);
        }
    }
}

async fn either(a: &mut Signal, b: &mut Signal) {
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
    }
}

fn exit_code(result: Result<(), ProjectorError>) -> u8 {
    match result {
        Ok(()) => {
            tracing::info!("stopped");
            STOPPED
        }
        Err(error) if error.drain_timed_out() => {
            tracing::warn!(%error, "stopped");
            DRAIN_TIMED_OUT
        }
        Err(error) => {
            tracing::error!(%error, "failed");
            if error.too_many_dead_letters().is_some() {
                TOO_MANY_DEAD_LETTERS
            } else {
                FAILED
            }
        }
    }
}
