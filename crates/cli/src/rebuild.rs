//! `recap rebuild`: the summaries built anew from the log while everything runs.

mod progress;

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use progress::Progress;
use recap_log::LogArgs;
use recap_replay::{Outcome, RebuildOptions, Replay, Report, Scope, Switched};
use recap_store::{Store, StoreOptions};
use recap_telemetry::{LogOutput, RebuildMetrics, RebuildPhase, Service, Telemetry, TelemetryConfig};

use crate::{archive, migrate::Database, time};

const SERVICE: Service = Service {
    name: "recap-rebuild",
    version: env!("CARGO_PKG_VERSION"),
    logs: LogOutput::Stderr,
};

/// Build the summaries anew from the log, prove them equal and switch to them
///
/// The live projector and the query service run on and notice the switch by themselves. An interrupted rebuild leaves
/// the live rows untouched. With `--org`, `--conversation` or `--since` only those rows are recomputed, in place.
/// When rows differ, the differences are printed and nothing is switched: `--accept-differences` switches all the same. After a
/// switch `--rollback` undoes it, and `--discard` drops the rows that serve no longer.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 rows differ and nothing was switched.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Options {
    /// Go on with the generation that an interrupted rebuild left
    #[arg(long, group = "mode")]
    resume: bool,

    /// Switch back to the generation that was live before the last switch
    #[arg(long, group = "mode")]
    rollback: bool,

    /// Drop every generation that is not live
    #[arg(long, group = "mode")]
    discard: bool,

    /// Switch although rows differ: how a changed projection goes live
    #[arg(long)]
    accept_differences: bool,

    /// Start from the live rows: for a log that no longer holds everything
    #[arg(long)]
    onto_current: bool,

    /// Replay this archive before what Kafka holds; for --resume and --rollback only where Kafka has lost something since
    #[arg(long, value_name = "DIR|URL")]
    archive: Option<String>,

    /// Recompute only one organization's rows, in place
    #[arg(long, value_name = "ID", conflicts_with = "mode")]
    org: Option<String>,

    /// Recompute only one conversation's row, in place; needs --org
    #[arg(long, value_name = "ID", requires = "org")]
    conversation: Option<String>,

    /// Recompute only from records produced since then (RFC 3339: `2026-01-31T12:00:00Z`), in place
    #[arg(long, value_name = "TIME", conflicts_with = "mode", value_parser = time::parse)]
    since: Option<DateTime<Utc>>,

    /// Memory for states before the coldest are written, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: usize,

    /// Batches written at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    flushes: usize,

    #[command(flatten)]
    log: LogArgs,

    #[command(flatten)]
    database: Database,

    #[command(flatten)]
    telemetry: TelemetryConfig,
}

/// Rebuilds.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let store = store(&options)?;
    store.check_schema().await?;
    if options.discard {
        return discard(&store).await;
    }
    let log = options.log.log()?;
    let telemetry = Telemetry::start(&options.telemetry, SERVICE)?;
    let metrics = RebuildMetrics::new(&telemetry.meter());
    if let Some(registry) = &log.schema_registry {
        registry.observe(&telemetry.meter());
    }
    let progress = Arc::new(Progress::new(metrics.clone()));
    let mut replay = Replay::new(store, log, progress.clone());
    replay.memory_bytes = options.memory << 20;
    replay.flushes = options.flushes.max(1);
    let archive = options.archive.as_deref().map(archive::open_existing).transpose()?;
    if options.org.is_some() || options.since.is_some() {
        let scope = Scope {
            org_id: options.org,
            conversation_id: options.conversation,
            since: options.since,
        };
        replay.recompute(scope, archive.as_ref()).await?;
        progress.finish();
        let events = progress.events();
        if events == 0 {
            bail!(
                "no event in the log is in scope: nothing was recomputed; are --org, --conversation and --since right?"
            );
        }
        println!("recomputed the rows of {events} events");
        return Ok(());
    }
    let outcome = if options.rollback {
        let switched = replay.rollback(archive.as_ref()).await;
        switched.map(|switched| Outcome::Switched {
            switched,
            report: Report::default(),
        })
    } else {
        let how = RebuildOptions {
            accept_differences: options.accept_differences,
            resume: options.resume,
            onto_current: options.onto_current,
            archive,
            ..RebuildOptions::default()
        };
        replay.rebuild(&how).await
    };
    progress.finish();
    metrics.enter(RebuildPhase::Idle);
    metrics.switched(matches!(outcome, Ok(Outcome::Switched { .. })));
    match outcome? {
        Outcome::Switched { switched, report } => {
            metrics.verified(report.conversations, report.differences as u64);
            if !report.is_empty() || report.mappings.is_some() {
                print!("{report}");
            }
            let Switched { from, to } = switched;
            println!("generation {to} is live; generation {from} is kept for `recap rebuild --rollback`");
            Ok(())
        }
        Outcome::Differs { built, report } => {
            metrics.verified(report.conversations, report.differences as u64);
            print!("{report}");
            println!(
                "generation {built} differs from the live one and was not switched to: \
                 `recap rebuild --resume --accept-differences` switches, `recap rebuild --discard` drops it"
            );
            drop(telemetry);
            std::process::exit(3);
        }
    }
}

async fn discard(store: &Store) -> anyhow::Result<()> {
    let dropped = Replay::discard(store).await?;
    for generation in &dropped {
        println!("generation {generation} dropped");
    }
    if dropped.is_empty() {
        println!("nothing to drop");
    }
    Ok(())
}

fn store(options: &Options) -> anyhow::Result<Store> {
    let connections = u32::try_from(options.flushes + 1).unwrap_or(u32::MAX);
    if connections > 64 {
        bail!("--flushes {}: at most 63 make sense", options.flushes);
    }
    Ok(Store::new(&StoreOptions {
        max_connections: connections,
        statement_timeout: Duration::from_mins(5),
        ..options.database.options("recap-rebuild")?
    })?)
}
