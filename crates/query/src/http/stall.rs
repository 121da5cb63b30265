//! How long a client takes nothing of its answer, and when that is too long.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// While others wait for what a slow client holds, it may take nothing for no longer.
const UNDER_PRESSURE: Duration = Duration::from_secs(1);
/// How soon pressure is noticed.
const TICK: Duration = Duration::from_millis(200);

/// How often to look.
pub(super) fn tick(limit: Duration) -> Duration {
    TICK.min(limit)
}

/// Whether a client that may take nothing for `limit` has taken nothing for too long.
pub(super) fn is_too_long(stalled: Duration, limit: Duration, is_pressed: impl Fn() -> bool) -> bool {
    stalled >= limit || (stalled >= UNDER_PRESSURE && is_pressed())
}

/// The clock of one client that should be taking something.
pub(super) struct Stall {
    limit: Duration,
    is_pressed: Box<dyn Fn() -> bool + Send + Sync>,
    /// Since when nothing was taken, and the next look at it.
    running: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Stall {
    /// A client may take nothing for `limit`, and for less while others wait for what it holds.
    pub(super) fn new(limit: Duration, is_pressed: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            limit,
            is_pressed: Box::new(is_pressed),
            running: None,
        }
    }

    /// Something was taken.
    pub(super) fn end(&mut self) {
        self.running = None;
    }

    /// Nothing is taken now: ready when that has been so for too long.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let tick = tick(self.limit);
        let (since, look) = self
            .running
            .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(tick))));
        loop {
            if look.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let stalled = since.elapsed();
            if is_too_long(stalled, self.limit, &self.is_pressed) {
                return Poll::Ready(());
            }
            let next = tick.min(self.limit.saturating_sub(stalled));
            look.as_mut().reset(Instant::now() + next.max(Duration::from_millis(1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::http::pressure::Pressure;

    async fn stalled(limit: Duration, pressure: &Pressure) -> Duration {
        let mut stall = Stall::new(limit, {
            let pressure = pressure.clone();
            move || pressure.is_felt()
        });
        let started = Instant::now();
        poll_fn(|context| stall.poll(context)).await;
        started.elapsed()
    }

    #[tokio::test]
    async fn who_takes_nothing_has_less_time_while_others_wait() {
        let pressure = Pressure::default();
        let short = Duration::from_millis(150);
        assert!(stalled(short, &pressure).await >= short);
        let waiting = pressure.wait();
        let long = Duration::from_hours(1);
        assert!(stalled(long, &pressure).await >= UNDER_PRESSURE);
        drop(waiting);
        let undisturbed = tokio::time::timeout(UNDER_PRESSURE + 2 * TICK, stalled(long, &pressure));
        assert!(undisturbed.await.is_err());
    }
}
