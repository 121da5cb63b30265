//! `recap archive`: the topics as files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use recap_replay::archive::{ArchiveOptions, write_archive};

use crate::log_source::LogSource;

/// Write the topics to files, for rebuilds after Kafka has dropped them
///
/// Each run adds what is new: compressed NDJSON, one segment per partition and range of offsets, listed with its checksum
/// in `manifest.json`. An interrupted run leaves nothing half-done. Run it more often than the topics' retention.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory of the archive; made when it does not exist
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// Uncompressed size of a segment, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    segment: u32,

    #[command(flatten)]
    log: LogSource,
}

/// Archives.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let store = open(&options.directory)?;
    let how = ArchiveOptions {
        segment_bytes: (options.segment as usize) << 20,
        ..ArchiveOptions::default()
    };
    let report = write_archive(&options.log.config()?, store, &how, |report, left| {
        eprintln!(
            "{} segments, {} records, {} bytes; {left} offsets left",
            report.segments, report.records, report.bytes
        );
    })
    .await?;
    println!(
        "{} records added in {} segments, {} bytes",
        report.records, report.segments, report.bytes
    );
    Ok(())
}

/// Opens an archive's directory.
pub fn open(directory: &Path) -> anyhow::Result<Arc<dyn ObjectStore>> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{} can't be made", directory.display()))?;
    let store = LocalFileSystem::new_with_prefix(directory)
        .with_context(|| format!("{} can't be used as an archive", directory.display()))?;
    Ok(Arc::new(store))
}
