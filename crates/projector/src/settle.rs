//! After a switch whose rebuild died before it had read past it: some projector does that in its place.

use std::{sync::Arc, time::Duration};

use recap_replay::{Observer, Phase, Replay, ReplayError};
use recap_store::Store;

use crate::Settings;

/// How often a projector looks; one small statement.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Memory for what is read again.
const MEMORY_BYTES: usize = 32 << 20;

/// Looks now and then for as long as the projector lives.
pub(crate) async fn settle_now_and_then(settings: Arc<Settings>, store: Store) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        match settle(&settings, &store).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("read past a switch that its rebuild had left unfinished"),
            Err(error) => tracing::warn!(%error, "cannot finish an unfinished switch now"),
        }
    }
}

async fn settle(settings: &Settings, store: &Store) -> Result<bool, ReplayError> {
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
