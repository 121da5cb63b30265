//! `recap-bench attack`: the query service with its default limits (and as many connections to the database as suit the machine), attacked for as long as one likes, beside clients who mean well.
//!
//! Attacks take turns, two at a time, each of every kind in `attack/kinds.rs`. What counts is what the good clients see, and the resident set. The
//! attackers share the machine with what they attack: they are paced, so that there is something left to see.

mod extremes;
mod good;
mod kinds;
mod target;

use std::time::{Duration, Instant};

use clap::Args;
use recap_service::clock;
use tokio::task::JoinSet;

use self::{
    good::{Good, Seen},
    kinds::Kind,
    target::Attacked,
};
use crate::stack::Databases;

/// How long two kinds go on at a time.
const TURN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Options {
    /// Seconds that it goes on [default: 120]
    #[arg(long, default_value_t = 120, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=86_400))]
    seconds: u64,

    /// Conversations in the table
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(i64).range(5_000..=10_000_000))]
    conversations: i64,

    /// Only these kinds, separated by commas
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    only: Vec<String>,
}

/// Attacks, and prints what was seen.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| options.only.is_empty() || options.only.iter().any(|wanted| wanted == kind.name()))
        .collect();
    anyhow::ensure!(
        !kinds.is_empty(),
        "no such kind; there are {}",
        Kind::ALL.map(Kind::name).join(", ")
    );
    eprintln!(
        "starting PostgreSQL and filling in {} conversations",
        options.conversations
    );
    let databases = Databases::start(None).await?;
    let attacked = Attacked::start(&databases, options.conversations, clock::now()).await?;

    println!("{}", Seen::HEAD);
    let mut quiet = Good::start(&attacked);
    tokio::time::sleep(TURN).await;
    let quiet = quiet.stop().await?;
    let before = attacked.memory()?.now;
    println!("{}", quiet.line("nothing", before));

    let end = Instant::now() + Duration::from_secs(options.seconds);
    let (mut all, mut most, mut turn) = (Seen::default(), before, 0);
    while Instant::now() < end {
        let pair = [kinds[turn % kinds.len()], kinds[(turn + 1) % kinds.len()]];
        turn += 1;
        let mut attacks = JoinSet::new();
        for kind in &pair[..pair.len().min(kinds.len())] {
            kind.begin(&attacked, &mut attacks);
        }
        let mut good = Good::start(&attacked);
        let until = Instant::now() + TURN;
        let mut resident = 0.0_f64;
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
            resident = resident.max(attacked.memory()?.now);
        }
        let seen = good.stop().await?;
        attacks.shutdown().await;
        println!("{}", seen.line(&pair.map(Kind::name).join(" + "), resident));
        most = most.max(resident);
        all.extend(seen);
    }
    println!("{}", all.line("all of it", most));
    tokio::time::sleep(TURN).await;
    println!(
        "resident set: {before:.0} MiB before, {most:.0} at most, {:.0} now",
        attacked.memory()?.now
    );
    attacked.stop()
}
