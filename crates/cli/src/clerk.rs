//! `recap clerk`: users and memberships of a Clerk instance become profiles.

mod progress;

use clap::{Args, Subcommand};
use progress::Progress;
use recap_clerk::{BackfillArgs, ServeArgs};
use recap_service::{
    exit::{EXIT_CODES, Exit},
    stop::Stop,
};
use recap_telemetry::{
    LogOutput, MetricsRegistry, Service, Telemetry, TelemetryConfig, observe_process, warnings_on_stderr,
};

const SERVICE: Service = Service {
    name: "recap-clerk",
    version: env!("CARGO_PKG_VERSION"),
    logs: LogOutput::Stdout,
};

/// Publish Clerk's users as profiles: by webhooks as they change, by a backfill once
///
/// Each user of the Clerk instance becomes one profile in each organization the user is a member of: `user.upserted` on the topic of users, and
/// `user.deleted` when the membership ends or the user or the organization is deleted.
#[derive(Debug, Args)]
#[command(after_help = "To begin with:
  1. In Clerk's dashboard, Webhooks, add an endpoint https://…/webhooks/clerk with user.*, organization.* and organizationMembership.*
  2. CLERK_WEBHOOK_SECRETS=whsec_… CLERK_SECRET_KEY=sk_… recap clerk serve      for as long as users may change
  3. CLERK_SECRET_KEY=sk_… recap clerk backfill                                  once, while `serve` runs; again whenever in doubt")]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<Serve>),
    Backfill(Box<Backfill>),
}

/// Receive Clerk's webhooks and publish what they say
///
/// A webhook is answered with 204 once Kafka has acknowledged what it leads to, with 503 while Kafka or Clerk's Backend API is away (Clerk sends it
/// again, for a day and more), with 401 when its signature is by none of the secrets or more than five minutes old, and with 400 when it is no
/// webhook of Clerk's. Each webhook about a user or a membership asks the Backend API once or twice, a first membership once more. Any number may
/// run; a webhook that comes twice, late or out of order changes nothing.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
struct Serve {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

/// Publish the profiles of all members, and repair what differs
///
/// Reads every membership and user from the Backend API, as fast as Clerk allows, and publishes their profiles; then compares the topic of users
/// with Clerk: members without a profile get one, and profiles that the bridge published of people who are no members any more are erased. Run it
/// while `recap clerk serve` runs, so that nobody who changes meanwhile is missed. An interrupted one goes on where it was.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done; 1 failed, start it again; 2 the configuration is not valid.")]
struct Backfill {
    #[command(flatten)]
    backfill: BackfillArgs,
}

/// Runs the command.
pub async fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Command::Serve(options) => serve(&options).await,
        Command::Backfill(options) => {
            warnings_on_stderr();
            backfill(&options).await
        }
    }
}

fn invalid(error: &dyn std::error::Error) -> ! {
    eprintln!("recap clerk: {error}");
    Exit::InvalidConfig.now()
}

async fn serve(options: &Serve) -> anyhow::Result<()> {
    let settings = match options.serve.settings() {
        Ok(settings) => settings,
        Err(error) => invalid(&error),
    };
    let telemetry = match Telemetry::start(&options.telemetry, SERVICE) {
        Ok(telemetry) => telemetry,
        Err(error) => invalid(&error),
    };
    observe_process(&telemetry.meter());
    let stop = Stop::on_signals()?;
    let mut bridge = recap_clerk::serve(settings, telemetry.registry()).await?;
    tokio::select! {
        () = stop.soft.cancelled() => {}
        crashed = bridge.crashed() => return Err(crashed.into()),
    }
    let finished = tokio::select! {
        finished = bridge.stop() => finished,
        () = stop.hard.cancelled() => Exit::SecondSignal.now(),
    };
    tracing::info!("stopped");
    drop(telemetry);
    if !finished {
        Exit::DeadlinePassed.now();
    }
    Ok(())
}

async fn backfill(options: &Backfill) -> anyhow::Result<()> {
    let settings = match options.backfill.settings() {
        Ok(settings) => settings,
        Err(error) => invalid(&error),
    };
    let progress = Progress::new();
    let done = recap_clerk::backfill(&settings, &MetricsRegistry::new()?, &progress).await;
    progress.finish();
    let report = done?;
    println!(
        "{} events acknowledged by Kafka, {} users repaired",
        report.events, report.repaired
    );
    Ok(())
}
