//! Memory of answers, on their way to clients or being made: bounds for all together, for each organization and for each caller.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use recap_store::Memory;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{pressure::Pressure, problem::Problem, shares::Shares};
use crate::auth::Caller;

/// What is counted: bytes would not fit into the permits of a semaphore's acquisition.
const UNIT: usize = 1024;
/// What is taken at a time while an answer is made, whose size nobody knows before.
const STEP: usize = 256 * 1024;
/// Shorter answers are not counted: requests in progress are bounded.
const SMALL: usize = 16 * 1024;
/// An answer that is made has so much without asking, which most never pass: database connections are bounded.
const UNASKED: usize = 2 << 20;
/// Answers up to this have a part of all memory to themselves, so that they need not wait until large ones are taken.
const MODEST: usize = 1 << 20;
const MODEST_SHARE: (usize, usize) = (1, 8);
/// Of all memory: an organization's share, and a caller's.
const ORGANIZATION_SHARE: (usize, usize) = (3, 4);
const CALLER_SHARE: (usize, usize) = (1, 2);

/// How large an answer is likely to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Up to a megabyte or so.
    Modest,
    /// More.
    Large,
}

/// Memory of one service. Clones share it.
#[derive(Clone)]
pub(crate) struct AnswerMemory(Arc<Parts>);

struct Parts {
    all: Arc<Share>,
    modest: Arc<Share>,
    organizations: Shares<Arc<str>, Share>,
    callers: Shares<(Arc<str>, Arc<str>), Share>,
    caller_bytes: usize,
    queue: Duration,
}

/// Memory that somebody has a right to.
struct Share {
    free: Arc<Semaphore>,
    pressure: Pressure,
}

impl Share {
    fn new(bytes: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(bytes / UNIT)),
            pressure: Pressure::default(),
        }
    }
}

impl AnswerMemory {
    /// So many bytes for all; a request waits for its part no longer than `queue`.
    pub(crate) fn new(bytes: usize, queue: Duration) -> Self {
        let share = |(part, of): (usize, usize)| bytes / of * part;
        let (of_organization, of_caller) = (share(ORGANIZATION_SHARE), share(CALLER_SHARE));
        Self(Arc::new(Parts {
            all: Arc::new(Share::new(bytes - share(MODEST_SHARE))),
            modest: Arc::new(Share::new(share(MODEST_SHARE))),
            organizations: Shares::new(move || Share::new(of_organization)),
            callers: Shares::new(move || Share::new(of_caller)),
            caller_bytes: of_caller,
            queue,
        }))
    }

    /// Whether somebody waits for memory of all.
    pub(crate) fn pressure(&self) -> Pressure {
        self.0.all.pressure.clone()
    }

    /// The right to `bytes` for an answer of `caller`: waits for slow clients to take theirs. 503 when that takes too long.
    pub(crate) async fn reserve(&self, caller: &Caller, bytes: usize) -> Result<Reservation, Problem> {
        let mut reservation = self.empty(caller);
        if bytes <= SMALL {
            return Ok(reservation);
        }
        if bytes <= MODEST {
            self.prefer_modest(&mut reservation);
        }
        // An answer that was made fits; what escapes added must not make it wait for ever.
        let bytes = bytes.min(self.0.caller_bytes);
        let reserved = tokio::time::timeout(self.0.queue, reservation.wait_for(bytes)).await;
        match reserved {
            Ok(()) => Ok(reservation),
            Err(_) => Err(Problem::out_of_memory()),
        }
    }

    /// Takes from what is kept for modest answers, while there is some.
    fn prefer_modest(&self, reservation: &mut Reservation) {
        if self.0.modest.free.available_permits() >= MODEST / UNIT {
            reservation.shares[2] = Arc::clone(&self.0.modest);
        }
    }

    /// Waits until `caller` has room for another answer, before it is made: what is made where there is none waits for its part, and is held
    /// meanwhile. 503 when that takes too long.
    pub(crate) async fn room(&self, caller: &Caller, size: Size) -> Result<(), Problem> {
        let mut reservation = self.empty(caller);
        if size == Size::Modest {
            self.prefer_modest(&mut reservation);
        }
        let waited = tokio::time::timeout(self.0.queue, reservation.wait_for(MODEST)).await;
        waited.map_err(|_| Problem::out_of_memory())
    }

    /// Nothing yet, for an answer of `caller` that is about to be made.
    pub(crate) fn empty(&self, caller: &Caller) -> Reservation {
        let key = (Arc::clone(caller.org_id()), Arc::clone(caller.user_id()));
        Reservation {
            shares: [
                self.0.callers.of(&key),
                self.0.organizations.of(caller.org_id()),
                Arc::clone(&self.0.all),
            ],
            held: Mutex::default(),
        }
    }
}

/// The right to some bytes of each share; dropping it gives them back.
pub(crate) struct Reservation {
    shares: [Arc<Share>; 3],
    /// One permit of each share, in their order.
    held: Mutex<Vec<OwnedSemaphorePermit>>,
}

impl Reservation {
    async fn wait_for(&self, bytes: usize) {
        let units = units(bytes);
        for share in &self.shares {
            let free = Arc::clone(&share.free);
            let permit = if let Ok(permit) = Arc::clone(&free).try_acquire_many_owned(units) {
                permit
            } else {
                let _waiting = share.pressure.wait();
                // A semaphore that is never closed gives its permits.
                let Ok(permit) = free.acquire_many_owned(units).await else {
                    return;
                };
                permit
            };
            self.held().push(permit);
        }
    }

    /// Takes so many bytes more, when all shares have them.
    fn grow(&self, bytes: usize) -> bool {
        let units = units(bytes);
        let more: Result<Vec<_>, _> = self
            .shares
            .iter()
            .map(|share| Arc::clone(&share.free).try_acquire_many_owned(units))
            .collect();
        let Ok(more) = more else {
            return false;
        };
        let mut held = self.held();
        if held.is_empty() {
            *held = more;
        } else {
            for (held, more) in held.iter_mut().zip(more) {
                held.merge(more);
            }
        }
        true
    }

    /// Gives back all but so many bytes.
    pub(crate) fn shrink(&self, bytes: usize) {
        let keep = units(bytes) as usize;
        for permit in self.held().iter_mut() {
            drop(permit.split(permit.num_permits().saturating_sub(keep)));
        }
    }

    /// Whether somebody waits for what this holds.
    pub(super) fn is_wanted(&self) -> bool {
        self.shares[1..].iter().any(|share| share.pressure.is_felt())
    }

    fn held(&self) -> MutexGuard<'_, Vec<OwnedSemaphorePermit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// What an answer that is made takes: its rows, and about as much again when they are rendered.
pub(crate) struct AnswerInProgress {
    reservation: Arc<Reservation>,
    /// Bytes of rows that there may be.
    left: usize,
    /// Reserved, and not yet taken.
    reserved: usize,
}

impl AnswerInProgress {
    /// An answer of up to `most` bytes, for which nothing is reserved.
    pub(crate) fn new(reservation: Arc<Reservation>, most: usize) -> Self {
        Self::with(reservation, UNASKED, most)
    }

    /// The same where so many bytes are, or need not be.
    pub(crate) fn with(reservation: Arc<Reservation>, reserved: usize, most: usize) -> Self {
        Self {
            reservation,
            left: most,
            reserved,
        }
    }
}

impl Memory for AnswerInProgress {
    fn take(&mut self, bytes: usize) -> bool {
        let Some(left) = self.left.checked_sub(bytes) else {
            return false;
        };
        self.left = left;
        let needed = 2 * bytes;
        if needed > self.reserved {
            let more = (needed - self.reserved).max(STEP);
            if !self.reservation.grow(more) {
                return false;
            }
            self.reserved += more;
        }
        self.reserved -= needed;
        true
    }

    fn give(&mut self, bytes: usize) {
        self.left += bytes;
        self.reserved += 2 * bytes;
    }

    fn left(&self) -> usize {
        self.left
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const MIB: usize = 1 << 20;

    #[tokio::test]
    async fn nobody_takes_everything_and_modest_answers_find_room() {
        let memory = AnswerMemory::new(64 * MIB, Duration::from_millis(20));
        let (ada, ben) = (Caller::member("org_a", "ada"), Caller::member("org_a", "ben"));
        let cleo = Caller::member("org_b", "cleo");
        let first = memory.reserve(&ada, 32 * MIB).await.unwrap();
        // Half is a caller's, three quarters are an organization's.
        assert!(memory.reserve(&ada, 2 * MIB).await.is_err());
        let second = memory.reserve(&ben, 16 * MIB).await.unwrap();
        assert!(memory.reserve(&ben, 2 * MIB).await.is_err());
        let third = memory.reserve(&cleo, 8 * MIB).await.unwrap();
        assert!(memory.reserve(&cleo, 2 * MIB).await.is_err());
        // Of the last eighth large answers have nothing.
        assert!(memory.reserve(&cleo, MIB).await.is_ok());
        assert!(!first.is_wanted());
        let waiting = memory.reserve(&cleo, 4 * MIB);
        let giving = async {
            while !first.is_wanted() {
                tokio::task::yield_now().await;
            }
            assert!(memory.pressure().is_felt());
            first.shrink(MIB);
        };
        let (waited, ()) = tokio::join!(waiting, giving);
        assert!(waited.is_ok());
        drop((first, second, third));
        assert!(memory.reserve(&ada, 32 * MIB).await.is_ok());
    }

    #[tokio::test]
    async fn no_answer_is_made_where_another_waits_for_its_part() {
        let memory = AnswerMemory::new(64 * MIB, Duration::from_millis(20));
        let (ada, ben) = (Caller::member("org_a", "ada"), Caller::member("org_a", "ben"));
        let first = memory.reserve(&ada, 31 * MIB).await.unwrap();
        assert!(memory.room(&ada, Size::Large).await.is_ok());
        let waiting = memory.reserve(&ada, 3 * MIB);
        let asking = async {
            while !memory.0.callers.of(&key(&ada)).pressure.is_felt() {
                tokio::task::yield_now().await;
            }
            let asked = (
                memory.room(&ada, Size::Modest).await,
                memory.room(&ben, Size::Large).await,
            );
            drop(first);
            asked
        };
        let (waited, (own, of_another)) = tokio::join!(waiting, asking);
        assert!(own.is_err() && of_another.is_ok());
        drop(waited);
        assert!(memory.room(&ada, Size::Large).await.is_ok());
    }

    fn key(caller: &Caller) -> (Arc<str>, Arc<str>) {
        (Arc::clone(caller.org_id()), Arc::clone(caller.user_id()))
    }

    #[test]
    fn an_answer_in_progress_grows_while_there_is_room_and_gives_back_what_it_dropped() {
        let memory = AnswerMemory::new(16 * MIB, Duration::ZERO);
        let ada = Caller::member("org_a", "ada");
        let reservation = Arc::new(memory.empty(&ada));
        let mut answer = AnswerInProgress::new(Arc::clone(&reservation), 8 * MIB);
        // A MiB is free; each of the others takes two of the caller's eight.
        let taken = (0..100).take_while(|_| answer.take(MIB)).count();
        assert_eq!(taken, 5);
        answer.give(5 * MIB);
        assert!(answer.take(4 * MIB));
        drop(answer);
        drop(reservation);
        let mut narrow = AnswerInProgress::new(Arc::new(memory.empty(&ada)), MIB);
        assert!(narrow.take(MIB) && !narrow.take(1));
        assert_eq!(narrow.left(), 0);
    }
}
