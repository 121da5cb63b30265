//! Whether the database fits, for readiness: asked on a connection of its own, and shared.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use recap_store::Reader;
use recap_telemetry::QueryMetrics;
use tokio::time::Instant;

/// A check of the database waits no longer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Whoever asks within this time after a check shares it.
const CHECK_SHARED: Duration = Duration::from_secs(1);

/// Whether the database fits, asked at most once a second however many want to know.
pub(crate) struct DatabaseCheck {
    reader: Reader,
    /// How far a standby may be behind.
    max_replay_lag: Duration,
    /// How far it was behind when that was last asked.
    replay_lag: Arc<Mutex<Duration>>,
    latest: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl DatabaseCheck {
    /// A check through `reader`, whose connection nothing else uses: a service that is busy is not one that is broken.
    pub(crate) fn new(reader: Reader, max_replay_lag: Duration, metrics: &QueryMetrics) -> Self {
        let replay_lag = Arc::<Mutex<Duration>>::default();
        let observed = Arc::clone(&replay_lag);
        metrics.observe_replay_lag(move || *observed.lock().unwrap_or_else(PoisonError::into_inner));
        Self {
            reader,
            max_replay_lag,
            replay_lag,
            latest: tokio::sync::Mutex::default(),
        }
    }

    /// For small questions beside the check.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The latest check, or a new one that everybody waits for who asks meanwhile.
    pub(crate) async fn holds(&self) -> bool {
        let mut latest = self.latest.lock().await;
        if let Some((at, held)) = *latest
            && at.elapsed() < CHECK_SHARED
        {
            return held;
        }
        let holds = self.ask().await;
        *latest = Some((Instant::now(), holds));
        holds
    }

    async fn ask(&self) -> bool {
        let asking = async {
            if let Err(error) = self.reader.check_schema().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "not ready: the database does not fit"
                );
                return false;
            }
            self.follows_closely().await
        };
        tokio::time::timeout(CHECK_TIMEOUT, asking).await.unwrap_or_else(|_| {
            tracing::warn!("not ready: the database does not answer");
            false
        })
    }

    /// Whether a standby is not too far behind; what it does not tell is no reason.
    async fn follows_closely(&self) -> bool {
        let standby = self.reader.replication().await.unwrap_or_default();
        let lag = standby.map_or(Duration::ZERO, |standby| standby.lag);
        *self.replay_lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
        let is_close = lag <= self.max_replay_lag;
        if !is_close {
            tracing::warn!(
                seconds = lag.as_secs(),
                "not ready: the read replica is too far behind its primary"
            );
        }
        is_close
    }
}
