//! Awaiting a condition instead of sleeping.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// How long one step of a test may take; only a failure takes that long.
pub const LIMIT: Duration = Duration::from_mins(2);

const POLL: Duration = Duration::from_millis(20);

/// Asks until the answer satisfies, and answers with it.
///
/// # Panics
///
/// After `limit`, with `what` was awaited and the last answer.
pub async fn eventually<T: Debug>(
    what: &str,
    limit: Duration,
    ask: impl AsyncFn() -> T,
    satisfies: impl Fn(&T) -> bool,
) -> T {
    let start = Instant::now();
    loop {
        let answer = ask().await;
        if satisfies(&answer) {
            return answer;
        }
        assert!(
            start.elapsed() < limit,
            "{what}: not within {limit:?}, last seen: {answer:?}"
        );
        tokio::time::sleep(POLL).await;
    }
}
