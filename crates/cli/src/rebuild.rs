//! `recap rebuild`: the summaries built anew from the log while everything runs.

mod progress;
mod workers;

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use recap_log::LogArgs;
use recap_replay::{Outcome, RebuildOptions, Replay, Report, Scope, Switched};
use recap_store::{Store, StoreOptions};
use recap_telemetry::{LogOutput, RebuildMetrics, RebuildPhase, Service, Telemetry, TelemetryConfig};

use self::{progress::Progress, workers::Processes};
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
///
/// With `--workers N` the log is read by N processes, and `recap rebuild --join` on other machines brings in more: for a log that one process takes
/// too long over. They share the partitions out among themselves in the database, and take over from one that died.
#[derive(Debug, Args)]
#[command(
    after_help = "On three machines: `recap rebuild --workers 8` on one, then `recap rebuild --join --workers 8` on the others, with the same variables.\n\n\
                  Exit codes: 0 done; 1 failed; 2 wrong usage; 3 rows differ and nothing was switched."
)]
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

    /// Help to fill the generation that a rebuild with --workers is building, begun on another machine; ends when all of it is filled
    #[arg(long, group = "mode", conflicts_with_all = ["accept_differences", "onto_current"])]
    join: bool,

    /// Processes that fill the generation, each with its share of the partitions; more than a topic has partitions are of no use
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256),
          conflicts_with_all = ["rollback", "discard", "org", "since"])]
    workers: u16,

    /// One of those processes
    #[arg(long, hide = true)]
    as_worker: bool,

    /// Switch although rows differ: how a changed projection goes live
    #[arg(long)]
    accept_differences: bool,

    /// Start from the live rows: for a log that no longer holds everything
    #[arg(long)]
    onto_current: bool,

    /// Replay this archive before what Kafka holds; for --resume and --rollback only where Kafka has lost something since; for --join the one that
    /// the rebuild has
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

    /// Memory for states before the coldest are written, in MiB; the workers of a machine divide it
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: usize,

    /// Batches written at once, by each worker
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
    let archive = options.archive.as_deref().map(archive::open_existing).transpose()?;
    if options.as_worker {
        workers::end_with_standard_input();
        let mut replay = Replay::new(store, log, Arc::new(workers::Unseen));
        replay.memory_bytes = (options.memory << 20) / usize::from(options.workers);
        replay.folds = 1.max(replay.folds / usize::from(options.workers));
        replay.flushes = options.flushes.max(1);
        replay.join(archive.as_ref()).await?;
        return Ok(());
    }
    let metrics = RebuildMetrics::new(&telemetry.meter());
    if let Some(registry) = &log.schema_registry {
        registry.observe(&telemetry.meter());
    }
    let progress = Arc::new(Progress::new(metrics.clone()));
    let mut replay = Replay::new(store, log, progress.clone());
    replay.memory_bytes = options.memory << 20;
    replay.flushes = options.flushes.max(1);
    if options.join {
        return workers::join(&replay, options.workers, archive.as_ref(), &progress).await;
    }
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
            workers: (options.workers > 1).then(|| Arc::new(Processes::new(options.workers)) as _),
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
