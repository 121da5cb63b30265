//! The live projector's progress, as its consumer group shows it.

use std::time::{Duration, Instant};

use recap_log::{Log, OffsetLookup, Offsets};

use crate::ReplayError;

/// Between two questions.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits until the live group has committed everything before `end`; an error when it makes no progress for `timeout`.
pub(super) async fn wait_for_commits(log: &Log, end: Offsets, timeout: Duration) -> Result<(), ReplayError> {
    let log = log.clone();
    tokio::task::spawn_blocking(move || wait(&log, &end, timeout)).await?
}

fn wait(log: &Log, end: &Offsets, timeout: Duration) -> Result<(), ReplayError> {
    let lookup = OffsetLookup::open(log)?;
    let mut missing = lookup.committed()?.missing(end);
    let mut last_progress = Instant::now();
    while missing > 0 {
        std::thread::sleep(INTERVAL);
        let left = lookup.committed()?.missing(end);
        if left != missing {
            missing = left;
            last_progress = Instant::now();
        } else if last_progress.elapsed() > timeout {
            return Err(ReplayError::LiveStalled {
                group: log.group.to_string(),
                seconds: timeout.as_secs(),
                missing,
            });
        }
    }
    Ok(())
}
