//! Turns of unpaged answers: bounds for all and for each organization, and who gives way when somebody waits.
//!
//! A turn costs a database connection for as long as the client reads. A slow client keeps it while nobody else waits; when somebody does, of the
//! organization with the most turns the answer whose client takes least is cut off. So slow readers starve nobody.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::shares::Shares;
use crate::config::Limits;

/// A client that takes nothing of what it is offered for so long is as slow as can be. Nobody is judged by less waiting.
const STALLED: Duration = Duration::from_secs(1);
/// A client that takes more a second is not slow.
const FAST_BYTES: u64 = 256 * 1024;
/// How often somebody who waits looks for a slow one.
const LOOK: Duration = Duration::from_millis(100);

/// The turns of one service.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    /// For the beginnings of answers, most of which end there: all, and an organization's.
    beginnings: Arc<Semaphore>,
    beginnings_of: Shares<Arc<str>, Semaphore>,
    organizations: Shares<Arc<str>, Semaphore>,
    per_organization: usize,
    queue: Duration,
    taken: Arc<Mutex<Vec<Arc<Progress>>>>,
}

/// The right to read the beginning of an answer.
pub(crate) struct Beginning {
    _organization: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// The right to one unpaged answer; dropping it gives it back.
pub(crate) struct Turn {
    progress: Arc<Progress>,
    taken: Arc<Mutex<Vec<Arc<Progress>>>>,
    _organization: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// What an answer's client has taken.
pub(crate) struct Progress {
    org_id: Arc<str>,
    began: Instant,
    bytes: AtomicU64,
    /// Since when it is offered something, in milliseconds since the turn began, from 1 on; 0 while it is not.
    offered: AtomicU64,
    /// Milliseconds that it was waited for.
    waited: AtomicU64,
    gives_way: CancellationToken,
}

impl Progress {
    /// The client is offered something: what it does not take is its own fault from now on.
    pub(crate) fn offer(&self) {
        self.offered.store(self.now(), Ordering::Relaxed);
    }

    /// The client took so many bytes.
    pub(crate) fn took(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let waited = self.now().saturating_sub(self.offered.swap(0, Ordering::Relaxed));
        self.waited.fetch_add(waited, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Ends when another needs the turn more.
    pub(crate) async fn gives_way(&self) {
        self.gives_way.cancelled().await;
    }

    /// Bytes a second, of a client that is slow.
    fn slowness(&self) -> Option<u64> {
        if self.gives_way.is_cancelled() {
            return None;
        }
        let waits = match self.offered.load(Ordering::Relaxed) {
            0 => 0,
            since => self.now().saturating_sub(since),
        };
        if Duration::from_millis(waits) >= STALLED {
            return Some(0);
        }
        let waited = self.waited.load(Ordering::Relaxed) + waits;
        if Duration::from_millis(waited) < STALLED {
            return None;
        }
        let rate = self.bytes.load(Ordering::Relaxed).saturating_mul(1_000) / waited;
        (rate < FAST_BYTES).then_some(rate)
    }
}

impl Turns {
    /// Connections for the beginnings of answers, beside those of turns.
    pub(crate) const BEGINNINGS: u32 = 4;
    /// An organization has no more of them, and leaves one to others.
    const BEGINNINGS_OF_ORGANIZATION: usize = 3;

    /// As configured; a request waits for its turn no longer than `queue`.
    pub(crate) fn new(limits: Limits, queue: Duration) -> Self {
        let per_organization = limits.streams_per_organization as usize;
        Self {
            all: Arc::new(Semaphore::new(limits.streams as usize)),
            beginnings: Arc::new(Semaphore::new(Self::BEGINNINGS as usize)),
            beginnings_of: Shares::new(|| Semaphore::new(Self::BEGINNINGS_OF_ORGANIZATION)),
            organizations: Shares::new(move || Semaphore::new(per_organization)),
            per_organization,
            queue,
            taken: Arc::default(),
        }
    }

    /// The right to find out whether an answer is short.
    pub(crate) async fn beginning(&self, org_id: &Arc<str>) -> Option<Beginning> {
        let both = async {
            Some(Beginning {
                _organization: self.beginnings_of.of(org_id).acquire_owned().await.ok()?,
                _all: Arc::clone(&self.beginnings).acquire_owned().await.ok()?,
            })
        };
        tokio::time::timeout(self.queue, both).await.ok().flatten()
    }

    /// A turn that is free now.
    pub(crate) fn try_take(&self, org_id: &Arc<str>) -> Option<Turn> {
        let organization = self.organizations.of(org_id).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(self.turn(org_id, organization, all))
    }

    /// Waits for a turn. The organization's bound comes first, so that one organization's queue does not hold turns of all.
    pub(crate) async fn take(&self, org_id: &Arc<str>) -> Option<Turn> {
        let organization = self.organizations.of(org_id);
        let both = async {
            let organization = organization.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some((organization, all))
        };
        tokio::pin!(both);
        let deadline = Instant::now() + self.queue;
        loop {
            let look = deadline.min(Instant::now() + LOOK);
            if let Ok(permits) = tokio::time::timeout_at(look, &mut both).await {
                let (organization, all) = permits?;
                return Some(self.turn(org_id, organization, all));
            }
            if Instant::now() >= deadline {
                return None;
            }
            self.make_way(org_id);
        }
    }

    /// Cuts off the slowest answer of the organization with the most, on behalf of one that has fewer.
    fn make_way(&self, org_id: &Arc<str>) {
        let taken = self.lock();
        let turns_of = |org: &Arc<str>| taken.iter().filter(|progress| progress.org_id == *org).count();
        let own = turns_of(org_id);
        let slowest = taken
            .iter()
            .filter_map(|progress| {
                let turns = turns_of(&progress.org_id);
                let slowness = progress.slowness()?;
                let is_own = progress.org_id == *org_id;
                let has_more = turns > own + 1 || (turns > own && slowness == 0);
                let in_the_way = is_own || (has_more && own < self.per_organization);
                in_the_way.then_some((std::cmp::Reverse(turns), slowness, progress))
            })
            .min_by_key(|(turns, slowness, _)| (*turns, *slowness));
        if let Some((_, _, progress)) = slowest {
            progress.gives_way.cancel();
        }
    }

    fn turn(&self, org_id: &Arc<str>, organization: OwnedSemaphorePermit, all: OwnedSemaphorePermit) -> Turn {
        let progress = Arc::new(Progress {
            org_id: Arc::clone(org_id),
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            offered: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            gives_way: CancellationToken::new(),
        });
        self.lock().push(Arc::clone(&progress));
        Turn {
            progress,
            taken: Arc::clone(&self.taken),
            _organization: organization,
            _all: all,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Progress>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// What its client takes.
    pub(crate) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|progress| !Arc::ptr_eq(progress, &self.progress));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn turns(queue: Duration) -> Turns {
        let limits = Limits {
            streams: 3,
            streams_per_organization: 2,
            ..Limits::default()
        };
        Turns::new(limits, queue)
    }

    #[tokio::test]
    async fn an_organization_at_its_bound_leaves_turns_for_others() {
        let turns = turns(Duration::from_millis(20));
        let (a, b): (Arc<str>, Arc<str>) = ("org_a".into(), "org_b".into());
        let first = turns.take(&a).await;
        let second = turns.take(&a).await;
        assert!(first.is_some() && second.is_some());
        assert!(turns.take(&a).await.is_none());
        let third = turns.take(&b).await;
        assert!(third.is_some());
        assert!(turns.take(&b).await.is_none());
        drop(first);
        assert!(turns.take(&a).await.is_some());
    }

    #[tokio::test]
    async fn the_slowest_of_whoever_has_most_gives_way_to_who_has_less() {
        let turns = turns(Duration::from_secs(5));
        let (a, b): (Arc<str>, Arc<str>) = ("org_a".into(), "org_b".into());
        let slow = turns.take(&a).await.unwrap();
        let fast = turns.take(&a).await.unwrap();
        let only = turns.take(&b).await.unwrap();
        slow.progress().offer();
        let reading = async {
            loop {
                fast.progress().offer();
                tokio::time::sleep(LOOK).await;
                fast.progress().took(1 << 20);
            }
        };
        let slow_progress = Arc::clone(slow.progress());
        let serving = async {
            slow_progress.gives_way().await;
            drop(slow);
        };
        let third: Arc<str> = "org_c".into();
        let (taken, ()) = tokio::select! {
            both = async { tokio::join!(turns.take(&third), serving) } => both,
            () = reading => unreachable!(),
        };
        assert!(taken.is_some());
        assert!(!fast.progress.gives_way.is_cancelled() && !only.progress.gives_way.is_cancelled());
    }
}
