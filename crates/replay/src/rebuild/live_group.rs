//! The live projector's progress, as its consumer group shows it.

use std::time::{Duration, Instant};

use recap_log::{Log, OffsetLookup, Offsets};

use crate::ReplayError;

/// Between two questions.
const INTERVAL: Duration = Duration::from_millis(50);
/// Standstill after which the brokers are asked whether there is anything left to read.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// Waits until the live group has committed everything before `end`; an error when it makes no progress for `timeout`.
pub(super) async fn wait_for_commits(log: &Log, end: Offsets, timeout: Duration) -> Result<(), ReplayError> {
    let log = log.clone();
    tokio::task::spawn_blocking(move || wait(&log, &end, timeout)).await?
}

fn wait(log: &Log, end: &Offsets, timeout: Duration) -> Result<(), ReplayError> {
    let lookup = OffsetLookup::open(log)?;
    let mut committed = lookup.committed()?;
    let mut last_progress = Instant::now();
    let mut next_probe = PROBE_AFTER;
    while committed.missing(end) > 0 {
        std::thread::sleep(INTERVAL);
        let now = lookup.committed()?;
        let standstill = last_progress.elapsed();
        if now.missing(end) < committed.missing(end) {
            committed = now;
            last_progress = Instant::now();
            next_probe = PROBE_AFTER;
        } else if standstill > timeout {
            return Err(ReplayError::LiveStalled {
                group: log.group.to_string(),
                seconds: timeout.as_secs(),
                missing: committed.missing(end),
            });
        } else if standstill > next_probe {
            // A group commits no offset behind the last record, so of what a transaction leaves nobody will ever be past.
            lookup.skip_empty_ends(&mut committed, end)?;
            next_probe = 2 * standstill;
        }
    }
    Ok(())
}
