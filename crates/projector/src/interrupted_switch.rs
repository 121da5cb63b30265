//! A switch whose rebuild died before it had read past the switch: a projector finishes it.

use std::{sync::Arc, time::Duration};

use recap_replay::{Observer, Phase, Replay, ReplayError};
use recap_store::Store;

use crate::Settings;

/// How often a projector checks; one small statement.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// Memory for what is read again.
const MEMORY_BYTES: usize = 32 << 20;

/// Checks for as long as the projector lives.
pub(crate) async fn finish_interrupted_switches(settings: Arc<Settings>, store: Store) {
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match finish_interrupted_switch(&settings, &store).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("read past a switch that its rebuild had left unfinished"),
            Err(error) => tracing::warn!(%error, "cannot finish an unfinished switch now"),
        }
    }
}

async fn finish_interrupted_switch(settings: &Settings, store: &Store) -> Result<bool, ReplayError> {
    let mut replay = Replay::new(store.clone(), settings.log(), Arc::new(Unobserved));
    replay.memory_bytes = MEMORY_BYTES;
    replay.flushes = 1;
    replay.finish_switch().await
}

struct Unobserved;

impl Observer for Unobserved {
    fn phase(&self, phase: Phase, _records: Option<u64>) {
        tracing::info!(?phase, "finishing a switch");
    }

    fn read(&self, _records: u64, _events: u64) {}
}
