//! Records as lines of JSON, what becomes of them as lines of JSON, and the examples beside a mapping that say what should.
//!
//! `chat.examples/NAME.records.ndjson` beside `chat.jq` holds records, one a line, and `NAME.events.ndjson` what they become; `schemas.ndjson` there the schemas
//! of a registry that their values name.
//!
//! | of a record | |
//! | --- | --- |
//! | `value`, `text` or `base64` | the value: JSON, text, bytes; none of them is a record without a value |
//! | `key`, `headers` | text, and an object of texts |
//! | `partition`, `offset`, `timestamp` | 0, the number of the line from 0 on, none |

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use recap_events::{MaxTimeAhead, Micros};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Events, Lookup, MAPPING, Mapped, Mapping, Mappings, Record, SCHEMA, SchemaText, Schemas, value::write_string,
};

/// A record that is kept outside of Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedRecord {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Unix milliseconds.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The value.
    pub value: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(default)]
    partition: i32,
    offset: Option<i64>,
    timestamp: Option<i64>,
    key: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    value: Option<&'l RawValue>,
    text: Option<String>,
    base64: Option<String>,
}

impl OwnedRecord {
    /// Reads lines of records; empty ones are passed over.
    pub fn read_lines(lines: &str) -> Result<Vec<Self>, String> {
        let lines = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(at, line)| Self::read(line, at).map_err(|mistake| format!("line {}: {mistake}", at + 1)))
            .collect()
    }

    fn read(line: &str, at: usize) -> Result<Self, String> {
        let line: Line<'_> = serde_json::from_str(line)
            .map_err(|error| format!("{error}; a record is as {{\"key\": \"c1\", \"value\": {{…}}}}, with `text` or `base64` where the value is no JSON"))?;
        let value = match (line.value, line.text, line.base64) {
            (Some(json), None, None) => Some(json.get().as_bytes().to_vec()),
            (None, Some(text), None) => Some(text.into_bytes()),
            (None, None, Some(base64)) => Some(
                STANDARD
                    .decode(base64)
                    .map_err(|_| "`base64` is not Base64".to_owned())?,
            ),
            (None, None, None) => None,
            _ => return Err("only one of `value`, `text` and `base64` can be the value".to_owned()),
        };
        let header = |(name, value): (String, String)| (name, Some(value.into_bytes()));
        Ok(Self {
            partition: line.partition,
            offset: line.offset.unwrap_or_else(|| i64::try_from(at).unwrap_or_default()),
            timestamp: line.timestamp,
            key: line.key.map(String::into_bytes),
            headers: line.headers.into_iter().map(header).collect(),
            value,
        })
    }
}

/// What became of a number of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records.
    pub records: usize,
    /// Their valid events.
    pub events: usize,
    /// Records that would be dead-lettered.
    pub refused: usize,
}

/// Maps records, their values decoded by these schemas where there is a registry, and writes a line for each event and each refusal.
pub fn map(
    mapping: &Mapping,
    topic: &str,
    records: &[OwnedRecord],
    schemas: Option<&Schemas>,
    max_time_ahead: MaxTimeAhead,
    lines: &mut String,
) -> Counts {
    let mut counts = Counts::default();
    let mut memory = Events::default();
    for record in records {
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let record = Record {
            topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            headers: &headers,
            value: record.value.as_deref(),
            schemas,
        };
        let latest = max_time_ahead.latest(record.timestamp);
        counts.records += 1;
        write_outcome(mapping, &record, latest, &mut memory, lines, &mut counts);
    }
    counts
}

fn write_outcome(
    mapping: &Mapping,
    record: &Record<'_>,
    latest: Option<Micros>,
    memory: &mut Events,
    lines: &mut String,
    counts: &mut Counts,
) {
    let place = format!("{{\"partition\":{},\"offset\":{}", record.partition, record.offset);
    let mut refused = None;
    match mapping.read(record, latest, memory) {
        Mapped::Events { events, .. } => counts.events += events.len(),
        Mapped::NullValue => {
            lines.push_str(&place);
            lines.push_str(",\"skipped\":\"null-value\"}\n");
            return;
        }
        Mapped::Refused(refusal) => refused = Some(refusal),
    }
    // What a mapping that failed has put out until then is of no use to anybody.
    if refused
        .as_ref()
        .is_none_or(|refusal| ![MAPPING, SCHEMA].contains(&refusal.reason))
    {
        for event in memory.iter() {
            lines.push_str(&place);
            lines.push_str(",\"event\":");
            lines.push_str(event);
            lines.push_str("}\n");
        }
    }
    if let Some(refusal) = refused {
        counts.refused += 1;
        // A string takes everything.
        let _infallible = write!(lines, "{place},\"refused\":\"{}\",\"error\":", refusal.reason);
        let _infallible = write_string(&refusal.error, lines);
        lines.push_str("}\n");
    }
}

/// How one file of examples fared.
#[derive(Debug)]
pub struct Example {
    /// The file of the records.
    pub records: PathBuf,
    /// What is wrong: nothing when it is as it should be.
    pub mistakes: Vec<String>,
}

/// Runs the examples beside each mapping of a folder. With `update` what they become is written instead of compared.
pub fn test(folder: &Path, update: bool) -> io::Result<Vec<Example>> {
    let mut examples = Vec::new();
    let mut programs: Vec<PathBuf> = paths(folder, ".jq")?;
    programs.sort();
    for program in programs {
        let Some(topic) = program.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let mappings = match Mappings::load(folder, &[Arc::from(topic)]) {
            Ok(mappings) => mappings,
            Err(mistakes) => {
                examples.push(Example {
                    records: program.clone(),
                    mistakes: mistakes.0,
                });
                continue;
            }
        };
        let Some(mapping) = mappings.of(topic) else { continue };
        let beside = folder.join(format!("{topic}.examples"));
        if !beside.is_dir() {
            continue;
        }
        let schemas = match schemas(&beside.join(SCHEMAS))? {
            Ok(schemas) => schemas,
            Err(mistake) => {
                examples.push(Example {
                    records: beside.join(SCHEMAS),
                    mistakes: vec![mistake],
                });
                continue;
            }
        };
        for records in paths(&beside, ".records.ndjson")? {
            let mistakes = run(mapping, topic, &records, schemas.as_ref(), update)?;
            examples.push(Example { records, mistakes });
        }
    }
    Ok(examples)
}

fn paths(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The schemas that values of examples name, one a line as `{"id": 7, "schemaType": "JSON", "schema": "{…}", "references": [{"name": …, "schema": …}]}`.
const SCHEMAS: &str = "schemas.ndjson";

#[derive(Deserialize)]
struct SchemaLine {
    id: u32,
    #[serde(flatten)]
    text: SchemaText,
}

/// The schemas in a file; `None` where there is no file.
fn schemas(path: &Path) -> io::Result<Result<Option<Schemas>, String>> {
    let lines = match fs::read_to_string(path) {
        Ok(lines) => lines,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(None)),
        Err(error) => return Err(error),
    };
    let mut schemas = Schemas::default();
    for (at, line) in lines.lines().enumerate() {
        match serde_json::from_str::<SchemaLine>(line) {
            Ok(line) => schemas.insert(line.id, Arc::new(Lookup::read(&line.text))),
            Err(error) => return Ok(Err(format!("line {}: {error}", at + 1))),
        }
    }
    Ok(Ok(Some(schemas)))
}

fn run(
    mapping: &Mapping,
    topic: &str,
    path: &Path,
    schemas: Option<&Schemas>,
    update: bool,
) -> io::Result<Vec<String>> {
    let records = match OwnedRecord::read_lines(&fs::read_to_string(path)?) {
        Ok(records) => records,
        Err(mistake) => return Ok(vec![mistake]),
    };
    let mut lines = String::new();
    map(mapping, topic, &records, schemas, MaxTimeAhead::default(), &mut lines);
    let expected = PathBuf::from(path.to_string_lossy().replace(".records.ndjson", ".events.ndjson"));
    if update {
        fs::write(&expected, &lines)?;
        return Ok(Vec::new());
    }
    let Ok(wanted) = fs::read_to_string(&expected) else {
        return Ok(vec![format!(
            "{} is not there; `--update` writes it",
            expected.display()
        )]);
    };
    Ok(differences(&lines, &wanted))
}

/// Lines are compared as JSON: order of members and spaces do not count.
fn differences(lines: &str, wanted: &str) -> Vec<String> {
    let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let (lines, wanted): (Vec<&str>, Vec<&str>) = (lines.lines().collect(), wanted.lines().collect());
    let pairs = lines.iter().zip(&wanted).enumerate();
    let differing = pairs.filter(|(_, (line, wanted))| json(line) != json(wanted));
    let mut mistakes: Vec<String> = differing
        .map(|(at, (line, wanted))| format!("line {}:\n  is     {line}\n  wanted {wanted}", at + 1))
        .collect();
    mistakes.extend(lines.iter().skip(wanted.len()).map(|line| format!("too much: {line}")));
    mistakes.extend(wanted.iter().skip(lines.len()).map(|line| format!("missing: {line}")));
    mistakes
}
