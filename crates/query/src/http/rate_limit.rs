//! How often a caller may ask.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use crate::config::Limits;

/// How often callers that have been quiet are forgotten.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

type CallerKey = (Arc<str>, Arc<str>);

/// Requests per caller: a user of an organization.
pub(crate) struct RateLimit(Option<DefaultKeyedRateLimiter<CallerKey>>);

impl RateLimit {
    /// As configured; a rate of 0 limits nothing.
    pub(crate) fn new(limits: Limits) -> Self {
        let quota = NonZeroU32::new(limits.rate)
            .map(|rate| Quota::per_second(rate).allow_burst(NonZeroU32::new(limits.burst).unwrap_or(rate)));
        Self(quota.map(RateLimiter::keyed))
    }

    /// Counts a request of a user of an organization; the error is how long to wait.
    pub(crate) fn check(&self, org_id: &Arc<str>, user_id: &Arc<str>) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        let key = (Arc::clone(org_id), Arc::clone(user_id));
        limiter
            .check_key(&key)
            .map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets quiet callers for as long as it is polled.
    pub(crate) async fn sweep(&self) {
        let Some(limiter) = &self.0 else {
            return;
        };
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}
