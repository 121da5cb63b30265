//! SIGTERM and SIGINT: the first asks the program to finish what it began, the second ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two requests to stop. Clones share them.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Cancelled by the first signal: finish what was begun and take no more.
    pub soft: CancellationToken,
    /// Cancelled by the second signal: end at once.
    pub hard: CancellationToken,
}

impl Stop {
    /// Listens for signals from now on. Call it before anything else is started, inside a Tokio runtime.
    ///
    /// # Errors
    /// The operating system refuses the handlers.
    pub fn on_signals() -> io::Result<Self> {
        let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
        };
        let requested = stop.clone();
        tokio::spawn(async move {
            either(&mut signals).await;
            tracing::info!("stopping: what was begun is finished");
            requested.soft.cancel();
            either(&mut signals).await;
            tracing::warn!("second signal: stopping at once");
            requested.hard.cancel();
        });
        Ok(stop)
    }
}

async fn either((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
