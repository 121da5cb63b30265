//! The services of `recap dev`, configured as they are by the environment, for the parts that run here.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser;
use recap_console::{DevPeople, SignIn};
use recap_log::Cluster;
use recap_projector::{Projector, ProjectorArgs, ProjectorError, RunningProjector, Settings};
use recap_query::{QueryArgs, RunningServer, ServeError, config::ClerkConfig};
use recap_telemetry::{LogOutput, MetricsRegistry, Service, Telemetry, TelemetryConfig};
use recap_testing::clerk::LocalClerk;
use secrecy::{ExposeSecret as _, SecretString};

use crate::migrate::Database;

/// Often enough that the embedded Kafka never holds much that is done with.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Parser)]
struct ProjectorCommand {
    #[command(flatten)]
    config: ProjectorArgs,
}

#[derive(Parser)]
struct QueryCommand {
    #[command(flatten)]
    args: QueryArgs,
}

/// Logs warnings to standard error unless `RUST_LOG` asks for more.
pub fn telemetry(config: &TelemetryConfig) -> anyhow::Result<Telemetry> {
    let mut config = config.clone();
    if std::env::var_os("RUST_LOG").is_none() {
        // librdkafka speaks of every connection that ends, and the Kafka inside can create no topics (its are there already).
        config.log = String::from("warn,librdkafka=off,rdkafka=off,recap_projector::dead_letters=error");
    }
    let service = Service {
        name: "recap-dev",
        version: env!("CARGO_PKG_VERSION"),
        logs: LogOutput::Stderr,
    };
    Ok(Telemetry::start(&config, service)?)
}

/// What both services share.
pub struct Services {
    pub database_url: SecretString,
    pub telemetry: MetricsRegistry,
}

impl Services {
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let database = Database {
            database_url: Some(self.database_url.clone()),
            database_url_file: None,
        };
        let store = database.store("recap-dev")?;
        store.migrate().await?;
        store.close().await;
        Ok(())
    }

    /// The projector's settings; everything but what runs here comes from the environment.
    pub fn settings(&self, cluster: &Cluster) -> anyhow::Result<Settings> {
        let arguments = [
            "recap dev",
            "--database-url",
            self.database_url.expose_secret(),
            "--kafka-bootstrap-servers",
            cluster.bootstrap_servers(),
        ];
        let command = ProjectorCommand::try_parse_from(arguments)?;
        let mut settings = command.config.settings()?;
        settings.cluster = cluster.clone();
        settings.commit_interval = COMMIT_INTERVAL;
        Ok(settings)
    }

    pub fn dead_letter_topic(&self) -> anyhow::Result<String> {
        Ok(self.settings(&Cluster::at("localhost:9092"))?.dead_letter_topic)
    }

    /// Starts the projector; where no address was chosen, on any free one.
    pub async fn projector(&self, cluster: &Cluster, addr: Option<SocketAddr>) -> anyhow::Result<RunningProjector> {
        let mut settings = self.settings(cluster)?;
        settings.admin_addr = addr.unwrap_or(local(9_091));
        match Projector::start(settings.clone(), &self.telemetry).await {
            Err(ProjectorError::Admin { .. }) if addr.is_none() => {
                settings.admin_addr = local(0);
                Ok(Projector::start(settings, &self.telemetry).await?)
            }
            started => Ok(started?),
        }
    }

    /// Starts the query service, likewise. Its console lets everybody be one of `people`, if this machine alone can reach it.
    pub async fn query(
        &self,
        clerk: &LocalClerk,
        addr: Option<SocketAddr>,
        people: DevPeople,
    ) -> anyhow::Result<RunningServer> {
        let issuer = clerk.issuer();
        let arguments = [
            "recap dev",
            "--database-url",
            self.database_url.expose_secret(),
            "--clerk-issuer",
            &issuer,
        ];
        let mut config = QueryCommand::try_parse_from(arguments)?.args.config()?;
        config.clerk = ClerkConfig::fetched(issuer.clone(), clerk.jwks_url());
        config.http_addr = addr.unwrap_or(local(8_080));
        config.admin_addr = local(0);
        if config.http_addr.ip().is_loopback() && config.console.is_some() {
            config.console = Some(SignIn::Dev(people));
        }
        config.timeouts.drain_delay = Duration::ZERO;
        match recap_query::serve(config.clone(), self.telemetry.clone()).await {
            Err(ServeError::Listen { .. }) if addr.is_none() => {
                config.http_addr = local(0);
                let served = recap_query::serve(config, self.telemetry.clone()).await;
                served.context("the query service cannot start")
            }
            served => served.context("the query service cannot start"),
        }
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
