//! `recap map`: what the mapping of a topic makes of its records, before a projector does.

use std::{
    io::{self, Read as _, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::Args;
use rdkafka::{Message as _, message::BorrowedMessage};
use recap_events::MaxTimeAhead;
use recap_log::{Cluster, KafkaArgs, Log, LogReader, headers};
use recap_mapping::{
    Mapping, Mappings, Schemas,
    examples::{self, OwnedRecord},
};
use recap_schema_registry::SchemaRegistryArgs;

/// Show what the mapping of a topic makes of its records: events, and what would be dead-lettered
///
/// Records come from a file, one a line as `{"key": "c1", "value": {…}}`, or are the last of the topic. Each event is a line with the place of its
/// record; so is each refusal, with its reason. Nothing is written to Kafka.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  recap map chat.messages --mappings mappings                  the last 10 records of the topic
  recap map chat.messages --file records.ndjson                records from a file; `-` is standard input
  recap map --test mappings                                    the examples beside each mapping, `chat.messages.examples/*.records.ndjson`

Exit codes: 0 done; 1 failed, or an example is not as it should be; 2 wrong usage.")]
pub struct Options {
    /// Topic whose records are mapped
    #[arg(value_name = "TOPIC", required_unless_present = "test", conflicts_with = "test")]
    topic: Option<String>,

    /// Folder with a jq program `<topic>.jq` for each topic
    #[arg(long, env = "RECAP_MAPPINGS", value_name = "DIR")]
    mappings: Option<PathBuf>,

    /// Read records from this file
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,

    /// Read the last records of the topic, this many
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "file")]
    last: usize,

    /// Run the examples beside each mapping of this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "last"])]
    test: Option<PathBuf>,

    /// Write what the examples become, instead of comparing
    #[arg(long, requires = "test")]
    update: bool,

    #[command(flatten)]
    kafka: KafkaArgs,

    #[command(flatten)]
    schema_registry: SchemaRegistryArgs,
}

/// Maps.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(folder) = &options.test {
        return test(folder, options.update);
    }
    let topic = options.topic.as_deref().unwrap_or_default();
    let mapping = mapping(options, topic)?;
    let records = match &options.file {
        Some(path) => read_file(path)?,
        None => last_of(&options.kafka.cluster()?, topic, options.last)?,
    };
    let schemas = schemas(options, &records)?;
    let mut lines = String::new();
    let counts = examples::map(
        &mapping,
        topic,
        &records,
        schemas.as_ref(),
        MaxTimeAhead::default(),
        &mut lines,
    );
    io::stdout().write_all(lines.as_bytes())?;
    writeln!(
        io::stderr(),
        "records: {}, events: {}, refused records: {}",
        counts.records,
        counts.events,
        counts.refused
    )?;
    Ok(())
}

fn mapping(options: &Options, topic: &str) -> anyhow::Result<Arc<Mapping>> {
    let folder = options
        .mappings
        .as_deref()
        .context("RECAP_MAPPINGS, or `--mappings`: the folder with the mappings is required")?;
    let mappings = Mappings::load(folder, &[Arc::from(topic)])?;
    let found = mappings.of(topic).cloned();
    found.with_context(|| {
        format!(
            "{} is not there, so the records of {topic} have to be events already",
            folder.join(format!("{topic}.jq")).display()
        )
    })
}

/// The schemas that values of these records name, where there is a registry.
fn schemas(options: &Options, records: &[OwnedRecord]) -> anyhow::Result<Option<Schemas>> {
    let mut mistakes = Vec::new();
    let registry = options.schema_registry.read(&mut mistakes);
    if !mistakes.is_empty() {
        bail!("{}", mistakes.join("\n"));
    }
    let Some(registry) = registry else { return Ok(None) };
    let ids = records
        .iter()
        .filter_map(|record| Schemas::id(record.value.as_deref()?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(Some(runtime.block_on(registry.schemas(ids))))
}

fn read_file(path: &Path) -> anyhow::Result<Vec<OwnedRecord>> {
    let lines = if path == Path::new("-") {
        let mut lines = String::new();
        io::stdin().read_to_string(&mut lines).map(|_| lines)
    } else {
        std::fs::read_to_string(path)
    };
    let lines = lines.with_context(|| format!("{} cannot be read", path.display()))?;
    OwnedRecord::read_lines(&lines).map_err(|mistake| anyhow::anyhow!("{}, {mistake}", path.display()))
}

/// The last records by their timestamps, in that order.
fn last_of(cluster: &Cluster, topic: &str, count: usize) -> anyhow::Result<Vec<OwnedRecord>> {
    let mut reader = LogReader::open(&Log::new(cluster.clone(), [topic], "recap-map"))?;
    let (oldest, ends) = (
        reader.lookup().oldest()?,
        reader.lookup().ends().context("Kafka cannot be read")?,
    );
    let back = i64::try_from(count).unwrap_or(i64::MAX);
    let from = ends
        .iter()
        .map(|(partition, end)| (partition.clone(), oldest.get(partition).max(end.saturating_sub(back))));
    reader.seek(from.collect())?;
    let mut records = Vec::new();
    reader.read_to(&ends, |_, message| {
        records.push(owned(&message));
        ControlFlow::Continue(())
    })?;
    records.sort_by_key(|record| (record.timestamp, record.partition, record.offset));
    let superfluous = records.len().saturating_sub(count);
    records.drain(..superfluous);
    if records.is_empty() {
        bail!("{topic} has no record");
    }
    Ok(records)
}

fn owned(message: &BorrowedMessage<'_>) -> OwnedRecord {
    let bytes = |bytes: &[u8]| bytes.to_vec();
    OwnedRecord {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(bytes),
        headers: headers(message.headers())
            .flatten()
            .map(|(name, value)| (name.to_owned(), value.map(bytes)))
            .collect(),
        value: message.payload().map(bytes),
    }
}

fn test(folder: &Path, update: bool) -> anyhow::Result<()> {
    let examples = examples::test(folder, update).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut failed = 0;
    for example in &examples {
        let verdict = match (example.mistakes.is_empty(), update) {
            (true, true) => "written",
            (true, false) => "ok",
            (false, _) => "FAILED",
        };
        println!("{}: {verdict}", example.records.display());
        for mistake in &example.mistakes {
            println!("  {mistake}");
        }
        failed += usize::from(!example.mistakes.is_empty());
    }
    if examples.is_empty() {
        bail!(
            "{} has no examples: records belong into `<topic>.examples/NAME.records.ndjson` beside `<topic>.jq`",
            folder.display()
        );
    }
    if failed > 0 {
        bail!("{failed} of {} examples failed", examples.len());
    }
    Ok(())
}
