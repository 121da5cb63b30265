//! `recap dead-letters`: what the projector refused, why, and another try.

mod filter;
mod letter;
mod reader;
mod replay;

use std::io::Write as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use filter::Filter;
use letter::{DeadLetter, Location};
use reader::read;
use recap_log::{Cluster, DeadLetterArgs, InvalidKafkaArgs, KafkaArgs};

/// List, show and replay dead letters
///
/// A dead letter keeps the key, value and headers of the record that broke the contract, where it came from and why it was
/// refused. It is named by its location in the dead-letter topic, PARTITION:OFFSET.
/// Start with `list`, read one with `show`, and `replay` those whose reason is gone.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters, one a line, oldest first
    List(List),
    /// Show one dead letter with its headers, error and value
    Show(Show),
    /// Publish dead letters to the topics they came from, after the reason for refusing them is gone
    #[command(
        after_help = "A replayed record is checked again: if it still breaks the contract it comes back as another dead \
                            letter.\nThe old one stays in the topic; replaying it twice changes nothing."
    )]
    Replay(Replay),
}

#[derive(Debug, Args)]
struct Topic {
    #[command(flatten)]
    kafka: KafkaArgs,

    #[command(flatten)]
    dead_letters: DeadLetterArgs,
}

impl Topic {
    /// The cluster, and the topic's name.
    fn open(&self) -> Result<(Cluster, String), InvalidKafkaArgs> {
        let mut mistakes = Vec::new();
        let cluster = self.kafka.read(&mut mistakes);
        let topic = self.dead_letters.read(&[], &mut mistakes);
        if mistakes.is_empty() {
            Ok((cluster, topic))
        } else {
            Err(InvalidKafkaArgs(mistakes))
        }
    }
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    filter: Filter,

    /// At most this many, the newest
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,

    /// One JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    topic: Topic,
}

#[derive(Debug, Args)]
struct Show {
    /// The dead letter, named as `list` names it
    #[arg(value_name = "PARTITION:OFFSET")]
    location: Location,

    /// Print only the value, as it was sent
    #[arg(long)]
    value: bool,

    #[command(flatten)]
    topic: Topic,
}

#[derive(Debug, Args)]
struct Replay {
    /// The dead letters, named as `list` names them
    #[arg(value_name = "PARTITION:OFFSET")]
    locations: Vec<Location>,

    #[command(flatten)]
    filter: Filter,

    /// Replay every dead letter of the topic
    #[arg(long, conflicts_with = "locations")]
    all: bool,

    /// Print what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    topic: Topic,
}

/// Runs the subcommand.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.command {
        Command::List(list) => run_list(list),
        Command::Show(show) => run_show(show),
        Command::Replay(replay) => run_replay(replay),
    }
}

fn run_list(list: &List) -> anyhow::Result<()> {
    let mut letters = Vec::new();
    let mut found = 0_usize;
    let (cluster, topic) = list.topic.open()?;
    read(&cluster, &topic, |letter| {
        if list.filter.wants(&letter) {
            found += 1;
            letters.push(letter.without_content());
        }
        Ok(())
    })?;
    letters.sort_by_key(|letter| (letter.time, letter.location));
    let newest = letters.split_off(letters.len().saturating_sub(list.limit));
    let mut out = std::io::stdout().lock();
    for letter in &newest {
        if list.json {
            writeln!(out, "{}", serde_json::to_string(letter)?)?;
        } else {
            writeln!(out, "{}", letter.line())?;
        }
    }
    if !list.json {
        eprintln!(
            "{found} dead letters{}",
            if found > newest.len() { ", the newest shown" } else { "" }
        );
    }
    Ok(())
}

fn run_show(show: &Show) -> anyhow::Result<()> {
    let letter = find(&show.topic, show.location)?;
    if show.value {
        std::io::stdout().write_all(&letter.value.unwrap_or_default())?;
        return Ok(());
    }
    Ok(write!(std::io::stdout(), "{}", letter.page())?)
}

fn find(topic: &Topic, location: Location) -> anyhow::Result<DeadLetter> {
    let (cluster, topic) = topic.open()?;
    let letter = reader::read_one(&cluster, &topic, location)?;
    letter.with_context(|| format!("{topic} holds no dead letter at {location}"))
}

fn run_replay(replay: &Replay) -> anyhow::Result<()> {
    if replay.locations.is_empty() && replay.filter.is_empty() && !replay.all {
        bail!(
            "which dead letters? Name them PARTITION:OFFSET as `recap dead-letters list` does, choose by --reason, --type, --since or --until, \
             or replay them --all"
        );
    }
    let (cluster, topic) = replay.topic.open()?;
    let mut sender = replay::Sender::connect(&cluster, replay.dry_run)?;
    let mut missing = replay.locations.clone();
    read(&cluster, &topic, |letter| {
        let wanted = replay.locations.is_empty() || replay.locations.contains(&letter.location);
        if wanted && replay.filter.wants(&letter) {
            missing.retain(|location| *location != letter.location);
            sender.send(&letter)?;
        }
        Ok(())
    })?;
    let sent = sender.finish()?;
    eprintln!(
        "{sent} records {}",
        if replay.dry_run {
            "would be sent"
        } else {
            "sent and acknowledged"
        }
    );
    if let Some(location) = missing.first() {
        bail!("{topic} holds no such dead letter at {location}");
    }
    Ok(())
}
