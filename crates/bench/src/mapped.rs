//! The topics of the benchmark with a mapping each, which makes every event anew out of its record.

use std::fs;

use recap_log::Topic;
use tempfile::TempDir;

const PROGRAM: &str = ".value | {specversion, id, source, type, time, data}";

/// A folder with a program for each topic.
pub fn folder() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    for topic in Topic::ALL {
        fs::write(folder.path().join(format!("{}.jq", topic.name())), PROGRAM)?;
    }
    Ok(folder)
}
