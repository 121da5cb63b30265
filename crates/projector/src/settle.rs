//! After a switch whose rebuild died before it had read past it: some projector does that in its place.

use std::{sync::Arc, time::Duration};

use recap_replay::{Observer, Phase, Replay, ReplayError};
use recap_store::{Writer, WriterOptions};
use secrecy::ExposeSecret as _;
use sqlx::postgres::PgPoolOptions;

use crate::Settings;

/// How often a projector looks; one small statement.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Memory for what is read again.
const MEMORY_BYTES: usize = 32 << 20;

/// Looks now and then for as long as the projector lives.
pub(crate) async fn settle_now_and_then(settings: Arc<Settings>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        match settle(&settings).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("read past a switch that its rebuild had left unfinished"),
            Err(error) => tracing::warn!(%error, "cannot finish an unfinished switch now"),
        }
    }
}

async fn settle(settings: &Settings) -> Result<bool, ReplayError> {
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(5))
        .connect(settings.database_url.expose_secret())
        .await?;
    let writer = Writer::new(
        &WriterOptions {
            database_url: settings.database_url.clone(),
            max_connections: 1,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_mins(1),
        },
        rand::random(),
    )?;
    let mut replay = Replay::new(pool.clone(), settings.log(), Arc::new(writer), Arc::new(Unobserved));
    replay.memory_bytes = MEMORY_BYTES;
    replay.flushes = 1;
    let settled = replay.finish_switch().await;
    pool.close().await;
    settled
}

struct Unobserved;

impl Observer for Unobserved {
    fn phase(&self, phase: Phase, _records: Option<u64>) {
        tracing::info!(?phase, "finishing a switch");
    }

    fn read(&self, _records: u64, _events: u64) {}
}
