//! `recap archive`: the topics as files.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use clap::Args;
use object_store::{ObjectStore, local::LocalFileSystem, prefix::PrefixStore};
use recap_log::{Log, LogArgs, LogError, OffsetLookup};
use recap_replay::archive::{ArchiveOptions, MANIFEST, write_archive};

/// Write the topics to files, for rebuilds after Kafka has dropped them
///
/// Each run adds what is new: compressed NDJSON, one segment per partition and range of offsets, listed with its checksum
/// in `manifest.json`. An interrupted run leaves nothing half-done. Run it more often than the topics' retention.
/// `recap rebuild --archive DIR` reads it.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory of the archive, made when it does not exist; or, in a build with that feature, a bucket and prefix as `s3://…`, `gs://…` or
    /// `az://…`, reached as the usual AWS_*, GOOGLE_* and AZURE_* variables say
    #[arg(value_name = "DIR|URL")]
    location: String,

    /// Uncompressed size of a segment, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    segment: u32,

    #[command(flatten)]
    log: LogArgs,
}

/// Archives.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let store = open(&options.location)?;
    let how = ArchiveOptions {
        segment_bytes: (options.segment as usize) << 20,
        ..ArchiveOptions::default()
    };
    let log = options.log.log()?;
    let missing = missing_topics(&log).await?;
    if missing.len() == log.topics.len() {
        bail!(
            "none of the topics exists: {}; is RECAP_TOPICS right?",
            missing.join(", ")
        );
    }
    if !missing.is_empty() {
        eprintln!("not archived, for they do not exist: {}", missing.join(", "));
    }
    let report = write_archive(&log, store, &how, |report, left| {
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

async fn missing_topics(log: &Log) -> anyhow::Result<Vec<String>> {
    let log = log.clone();
    let missing = tokio::task::spawn_blocking(move || {
        let partitions = OffsetLookup::open(&log)?.partitions()?;
        let exists = |topic: &Arc<str>| partitions.iter().any(|partition| partition.topic == *topic);
        let missing = log.topics.iter().filter(|topic| !exists(topic));
        Ok::<_, LogError>(missing.map(ToString::to_string).collect())
    });
    Ok(missing.await??)
}

/// Opens an archive by its directory or URL.
pub fn open(location: &str) -> anyhow::Result<Arc<dyn ObjectStore>> {
    if location.contains("://") {
        return open_url(location).with_context(|| format!("{location} cannot be used as an archive"));
    }
    let directory = Path::new(location);
    std::fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    let store = LocalFileSystem::new_with_prefix(directory)
        .with_context(|| format!("{} cannot be used as an archive", directory.display()))?;
    Ok(Arc::new(store))
}

/// Opens an archive that has been written before.
pub fn open_existing(location: &str) -> anyhow::Result<Arc<dyn ObjectStore>> {
    if !location.contains("://") && !Path::new(location).join(MANIFEST).is_file() {
        bail!("there is no archive in {location}: it has no {MANIFEST} (`recap archive {location}` writes one)");
    }
    open(location)
}

fn open_url(location: &str) -> anyhow::Result<Arc<dyn ObjectStore>> {
    const PREFIXES: [&str; 3] = ["aws_", "google_", "azure_"];
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?.to_ascii_lowercase();
        let known = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        known.then_some((name, value.into_string().ok()?))
    });
    let (store, prefix) = object_store::parse_url_opts(&location.parse()?, variables)
        .context("is it a URL of s3, gs or az, and was recap built with the feature s3, gcs or azure?")?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use object_store::{ObjectStoreExt as _, PutPayload};

    use super::*;

    #[tokio::test]
    async fn a_directory_and_its_url_are_one_archive() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new");
        let by_path = open(path.to_str().unwrap()).unwrap();
        let name = object_store::path::Path::from("topic/0/segment");
        let put = PutPayload::from_static(b"records");
        by_path.put(&name, put).await.unwrap();
        let by_url = open(&format!("file://{}", path.display())).unwrap();
        let got = by_url.get(&name).await.unwrap().bytes().await.unwrap();
        assert_eq!(got, "records");
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        for location in ["ftp://host/archive", "s3:///", "://"] {
            let error = format!("{:#}", open(location).unwrap_err());
            assert!(
                error.starts_with(&format!("{location} cannot be used as an archive")),
                "{error}"
            );
        }
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_build_without_a_store_says_which_feature_it_needs() {
        let error = format!("{:#}", open("s3://bucket/archive").unwrap_err());
        assert!(error.contains("feature s3"), "{error}");
    }
}
