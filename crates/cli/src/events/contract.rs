//! `recap events schema` and `recap events asyncapi`: the contract for machines, printed or written to files.

use std::{fs, io::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use recap_events::{
    EventType,
    schema::{data_schema, document, document_of_all},
};
use serde_json::Value;

use super::asyncapi;

/// What to print.
#[derive(Debug, Subcommand)]
pub enum Contract {
    /// Print the JSON Schema (draft 2020-12) of events: of every type, or of one
    #[command(after_help = "Examples:
  recap events schema                              events of every type, as structured mode has them
  recap events schema message.upserted             events of one type
  recap events schema message.upserted --data      their data, which is the value of a record in binary mode")]
    Schema {
        /// Type of the events
        #[arg(value_name = "TYPE", value_parser = event_type)]
        event_type: Option<EventType>,
        /// Of their data alone
        #[arg(long, requires = "event_type")]
        data: bool,
    },
    /// Print the `AsyncAPI` document: topics, keys, headers and events
    Asyncapi,
    /// Write all of it to a folder: `asyncapi.json`, `schemas/event.json` and a schema of each type
    #[command(name = "contract")]
    Files {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

fn event_type(name: &str) -> Result<EventType, String> {
    EventType::from_name(name).ok_or_else(|| {
        let known = EventType::ALL.map(EventType::as_str).join(", ");
        format!("there is no such type; there are {known}")
    })
}

/// Runs the command.
pub fn run(contract: &Contract) -> anyhow::Result<()> {
    let print = |document: &Value| std::io::stdout().write_all(pretty(document).as_bytes());
    match contract {
        Contract::Schema { event_type: None, .. } => print(&document_of_all())?,
        Contract::Schema {
            event_type: Some(event_type),
            data: false,
        } => print(&document(*event_type))?,
        Contract::Schema {
            event_type: Some(event_type),
            data: true,
        } => print(&data_schema(*event_type))?,
        Contract::Asyncapi => print(&asyncapi::document())?,
        Contract::Files { folder } => {
            for (path, document) in files() {
                let path = folder.join(path);
                let writing = || format!("cannot write {}", path.display());
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).with_context(writing)?;
                }
                fs::write(&path, pretty(&document)).with_context(writing)?;
            }
        }
    }
    Ok(())
}

/// Each with its place in the folder.
fn files() -> Vec<(String, Value)> {
    let mut files = vec![
        ("asyncapi.json".to_owned(), asyncapi::document()),
        ("schemas/event.json".to_owned(), document_of_all()),
    ];
    files.extend(EventType::ALL.map(|event_type| (format!("schemas/{event_type}.json"), document(event_type))));
    files
}

fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}
