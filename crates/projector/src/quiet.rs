//! Conversations that are quiet are listed again: writes of busy ones are cheap, and lists look for busy ones one by one.

use std::time::Duration;

use recap_store::{GenerationId, Looks, Store};
use recap_telemetry::ProjectorMetrics;
use tokio::time::{Instant, sleep_until};

/// A conversation is listed when nothing was written to it for this long, or up to twice as long: well over the time between two of its events, since being
/// listed and becoming busy again costs more than two writes. So it is the same where an organization has as many busy conversations as it may have.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Looks for as long as the projector lives.
pub(crate) async fn list_quiet_conversations(store: Store, generation: GenerationId, metrics: ProjectorMetrics) {
    let mut looks = Looks::default();
    loop {
        let began = Instant::now();
        match store.list_quiet(generation, &mut looks).await {
            Ok(Some(found)) => {
                metrics.busy.set(found.busy);
                metrics.listed(u64::try_from(found.listed).unwrap_or(u64::MAX));
            }
            // Another projector is at it: what it sees is its own to count.
            Ok(None) => {
                looks = Looks::default();
                metrics.busy.set(0);
            }
            Err(error) => tracing::debug!(%error, "quiet conversations are not listed now"),
        }
        sleep_until(began + LOOK_EVERY).await;
    }
}
