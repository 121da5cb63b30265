//! Bounds that keep callers and organizations from starving each other.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// Unpaged answers in progress: a bound for all and one for each organization.
pub(crate) struct StreamLimit {
    all: Arc<Semaphore>,
    organizations: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
    per_organization: usize,
    queue: Duration,
}

/// The right to one unpaged answer; dropping it gives it back.
pub(crate) struct StreamPermit {
    _organization: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl StreamLimit {
    /// As configured; a request waits for a permit no longer than `queue`.
    pub(crate) fn new(limits: Limits, queue: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.streams as usize)),
            organizations: Mutex::default(),
            per_organization: limits.streams_per_organization as usize,
            queue,
        }
    }

    /// Waits for a permit. The organization's comes first, so that one organization's queue does not hold permits of all.
    pub(crate) async fn acquire(&self, org_id: &Arc<str>) -> Option<StreamPermit> {
        let organization = self.organization(org_id);
        let both = async {
            let organization = organization.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(StreamPermit {
                _organization: organization,
                _all: all,
            })
        };
        tokio::time::timeout(self.queue, both).await.ok().flatten()
    }

    fn organization(&self, org_id: &Arc<str>) -> Arc<Semaphore> {
        let mut organizations = self.organizations.lock().unwrap_or_else(PoisonError::into_inner);
        // Permits and waiting requests hold a clone: an organization without either is forgotten.
        organizations.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        let semaphore = organizations
            .entry(Arc::clone(org_id))
            .or_insert_with(|| Arc::new(Semaphore::new(self.per_organization)));
        Arc::clone(semaphore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_organization_at_its_bound_leaves_permits_for_others() {
        let limits = Limits {
            streams: 3,
            streams_per_organization: 2,
            ..Limits::default()
        };
        let limit = StreamLimit::new(limits, Duration::from_millis(20));
        let (a, b): (Arc<str>, Arc<str>) = ("org_a".into(), "org_b".into());
        let first = limit.acquire(&a).await;
        let second = limit.acquire(&a).await;
        assert!(first.is_some() && second.is_some());
        assert!(limit.acquire(&a).await.is_none());
        let third = limit.acquire(&b).await;
        assert!(third.is_some());
        assert!(limit.acquire(&b).await.is_none());
        drop(first);
        assert!(limit.acquire(&a).await.is_some());
    }
}
