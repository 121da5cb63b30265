//! The whole log into a new generation, verified and switched to, as `recap rebuild` does it.

use std::{sync::Arc, time::Instant};

use anyhow::ensure;
use recap_replay::{Observer, Outcome, Phase, RebuildOptions, Replay};

use super::{
    source::per_second,
    stack::{Broker, Database},
};

/// Events a second; the live generation must be level, its group's offsets committed.
pub async fn rate(broker: &Broker, database: &Database, group: &str, events: u64) -> anyhow::Result<f64> {
    let store = database.store()?;
    let begun = Instant::now();
    let phases = Arc::new(Phases(begun));
    let replay = Replay::new(store.clone(), broker.log(group), phases);
    let outcome = replay.rebuild(&RebuildOptions::default()).await?;
    let elapsed = begun.elapsed();
    ensure!(
        matches!(&outcome, Outcome::Switched { report, .. } if report.is_empty()),
        "the rebuilt generation differs: {outcome:?}"
    );
    store.close().await;
    Ok(per_second(events, elapsed))
}

/// Says when each phase began.
struct Phases(Instant);

impl Observer for Phases {
    fn phase(&self, phase: Phase, _records: Option<u64>) {
        eprintln!("    {phase:?} from {:.1} s", self.0.elapsed().as_secs_f64());
    }

    fn read(&self, _records: u64, _events: u64) {}
}
