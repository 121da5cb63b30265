//! Projectors and query services inside the test's process: their programs belong to other crates.

use anyhow::Result;
use clap::Parser;
use recap_projector::{Projector, ProjectorArgs, RunningProjector};
use recap_query::{Config, RunningServer, config::ClerkConfig};
use recap_telemetry::MetricsRegistry;
use recap_testing::{World, clerk::LocalClerk};

/// A projector's flags, as its binary reads them.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: ProjectorArgs,
}

/// A projector of this world; see [`World::projector_flags`] for `more`.
pub async fn start_projector(world: &World<'_>, more: &[&str]) -> Result<RunningProjector> {
    let own = [
        "--offset-commit-interval=50ms",
        "--admin-addr=127.0.0.1:0",
        "--workers=2",
    ];
    let flags = world.projector_flags(&[&own, more].concat());
    let flags = Flags::try_parse_from([String::from("recap-projector")].into_iter().chain(flags))?;
    Ok(Projector::start(flags.config.settings()?, &MetricsRegistry::new()?).await?)
}

/// A query service on this world's database, which trusts this Clerk instance.
pub async fn start_query_service(world: &World<'_>, clerk: &LocalClerk) -> Result<RunningServer> {
    let keys = ClerkConfig::fetched(clerk.issuer(), clerk.jwks_url());
    let config = Config::local(&world.database.url, keys);
    Ok(recap_query::serve(config, MetricsRegistry::new()?).await?)
}
