//! `recap dev`: all of recap on this machine in one process, with a sample that never stops. It is for trying and for
//! developing against; what it starts, it removes.

mod banner;
mod embedded_kafka;
mod people;
mod sample;
mod services;
mod session;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use banner::Banner;
use clap::Args;
use embedded_kafka::EmbeddedKafka;
use indicatif::{ProgressBar, ProgressStyle};
use recap_log::{Cluster, KafkaArgs};
use recap_telemetry::TelemetryConfig;
use recap_testing::{PostgresServer, clerk::LocalClerk};
use sample::{Feeder, Sample};
use services::Services;
pub use session::running;
use session::{Note, Running};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::migrate::Database;

/// Run everything on this machine: Kafka, PostgreSQL, projector, query service, sample traffic
///
/// One process, nothing to configure. Kafka runs inside it, PostgreSQL is a private server in a temporary directory, session
/// tokens are signed with a key made for this run. A few thousand conversations of the last weeks are filled in, then new
/// events arrive all the time. Ctrl-C stops it and removes everything it made.
#[derive(Debug, Args)]
#[command(
    after_help = "Set KAFKA_BOOTSTRAP_SERVERS or DATABASE_URL (or the options) to use a real one in place of either part; \
                        what is written there stays.\nThe sample is published there too, unless --no-sample is given."
)]
pub struct Options {
    /// Address of the query service [default: 127.0.0.1:8080, or a free port where that is in use]
    #[arg(long, env = "RECAP_HTTP_ADDR", value_name = "ADDR")]
    http_addr: Option<SocketAddr>,

    /// Address of the projector's health and metrics [default: 127.0.0.1:9091, or a free port where that is in use]
    #[arg(long, env = "RECAP_ADMIN_ADDR", value_name = "ADDR")]
    admin_addr: Option<SocketAddr>,

    /// Conversations of the last weeks to begin with
    #[arg(long, default_value_t = 6_000, value_name = "N", value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    conversations: u64,

    /// New events a second
    #[arg(long, default_value_t = 3.0, value_name = "N")]
    rate: f64,

    /// Seed of the sample: another one gives other conversations
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Publish no sample: only what you send shows
    #[arg(long)]
    no_sample: bool,

    #[command(flatten)]
    kafka: KafkaArgs,

    #[command(flatten)]
    database: Database,

    #[command(flatten)]
    telemetry: TelemetryConfig,
}

/// Runs until Ctrl-C or SIGTERM; either ends it cleanly at any moment.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // The guards of the servers clean up behind a process that ends like this.
        std::process::exit(130);
    });
    tokio::select! {
        result = serve(options, stop.clone()) => result,
        // Reached while starting only; `serve` sees it by itself once everything is up.
        () = starting_was_stopped(&stop) => Ok(()),
    }
}

/// Gives the orderly end its time, then ends whatever is still starting.
async fn starting_was_stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(12)).await;
}

async fn serve(options: Options, stop: CancellationToken) -> anyhow::Result<()> {
    let begun = Instant::now();
    let telemetry = services::telemetry(&options.telemetry)?;
    let (database_url, _postgres) = postgres(&options.database).await?;
    let services = Services {
        database_url,
        telemetry: telemetry.registry().clone(),
    };
    services.migrate().await?;
    let (cluster, _embedded) = kafka(&options.kafka, &services)?;
    let clerk = LocalClerk::start().await?;
    let _note = Note::leave(&Running {
        issuer: clerk.issuer(),
        private_key: clerk.key().private_pem(),
    })?;
    if stop.is_cancelled() {
        return Ok(());
    }

    let mut projector = services.projector(&cluster, options.admin_addr).await?;
    let log = services.settings(&cluster)?.log();
    let sample = Sample::new(options.conversations, options.rate, options.seed, log);
    let people = people::of(&sample.events, clerk.key(), clerk.issuer());
    let query = services.query(&clerk, options.http_addr, people).await?;
    say(&format!(
        "projector and query service are up after {:.1} s",
        begun.elapsed().as_secs_f64()
    ));

    let feeder = (!options.no_sample)
        .then(|| Feeder::start(sample.clone(), stop.clone()))
        .transpose()?;
    if let Some(feeder) = &feeder {
        tokio::select! {
            result = fill(feeder, &sample) => result?,
            ended = projector.wait() => return ended.context("the projector ended"),
            () = stop.cancelled() => {}
        }
    }
    if !stop.is_cancelled() {
        let banner = Banner {
            http_addr: query.addr,
            admin_addr: projector.admin_addr(),
            kafka: cluster.bootstrap_servers().to_owned(),
            database_url: services.database_url.clone(),
            begun,
            rate: feeder.is_some().then_some(options.rate),
        };
        banner.print(&sample.events);
        tokio::select! {
            () = stop.cancelled() => {}
            ended = projector.wait() => return ended.context("the projector ended"),
        }
    }

    say("\nstopping");
    stop.cancel();
    if let Some(feeder) = feeder {
        feeder.join().await?;
    }
    projector.stop();
    let polite = Duration::from_secs(5);
    // What is not done by then is cut off by dropping it; no other part waits for the sample's last events.
    let _ = tokio::time::timeout(polite, projector.wait()).await;
    let _ = tokio::time::timeout(polite, query.stop()).await;
    Ok(())
}

async fn postgres(given: &Database) -> anyhow::Result<(secrecy::SecretString, Option<PostgresServer>)> {
    if let Some(url) = given.url()? {
        say("PostgreSQL: the one given");
        return Ok((url.text().map_err(anyhow::Error::msg)?, None));
    }
    let begun = Instant::now();
    let server = PostgresServer::start().await.context("PostgreSQL cannot be started")?;
    let url = server.create_database_named("recap").await?;
    say(&format!(
        "PostgreSQL: a private one, started in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    Ok((url.into(), Some(server)))
}

fn kafka(given: &KafkaArgs, services: &Services) -> anyhow::Result<(Cluster, Option<EmbeddedKafka>)> {
    if given.bootstrap_servers.is_some() {
        say("Kafka: the one given");
        return Ok((given.cluster()?, None));
    }
    let embedded = EmbeddedKafka::start(&services.dead_letter_topic()?)?;
    say("Kafka: inside this process");
    Ok((Cluster::at(embedded.bootstrap_servers()), Some(embedded)))
}

/// Shows how the history fills in; returns when the projector has written it.
async fn fill(feeder: &Feeder, sample: &Sample) -> anyhow::Result<()> {
    let begun = Instant::now();
    let style = ProgressStyle::with_template("sample: {bar:32} {human_pos} of {human_len} conversations  {elapsed}")?;
    let bar = ProgressBar::new(sample.conversations).with_style(style);
    while !feeder.filled()? {
        bar.set_position(feeder.begun());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!(
        "sample: {} conversations of the last weeks are in, after {seconds:.1} s",
        sample.conversations
    ));
    Ok(())
}

/// Progress goes to standard error; what a script may want goes to standard output.
fn say(line: &str) {
    eprintln!("{line}");
}
