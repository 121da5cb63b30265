//! Computations under way, each in a task of its own: several requests wait for one, and no client that hangs up takes it from the others.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use tokio::{runtime::Handle, task::JoinHandle};
use tracing::Instrument as _;

/// How long a computation goes on that nobody waits for any more. Most are done by then, and the next request finds the answer.
const UNWANTED: Duration = Duration::from_millis(500);

/// A computation, and its result for everybody who waits for it.
type Computation<T> = BoxFuture<'static, Option<T>>;
type Flight<T> = Shared<Computation<T>>;

/// What is being computed, by key.
pub(super) struct Flights<K, T: Clone>(Arc<Mutex<UnderWay<K, T>>>);

struct UnderWay<K, T: Clone> {
    next: u64,
    by_key: HashMap<K, (u64, WeakShared<Computation<T>>)>,
}

impl<K, T> Flights<K, T>
where
    K: Copy + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(UnderWay {
            next: 0,
            by_key: HashMap::new(),
        })))
    }

    /// The result for `key`, of the computation under way or of `compute`, which then begins; and whether it was the latter. None when it
    /// panicked or the program ends.
    pub(super) async fn join(&self, key: K, compute: impl FnOnce() -> BoxFuture<'static, T>) -> (bool, Option<T>) {
        let (began, flight) = self.flight(key, compute);
        (began, flight.await)
    }

    fn flight(&self, key: K, compute: impl FnOnce() -> BoxFuture<'static, T>) -> (bool, Flight<T>) {
        let mut under_way = lock(&self.0);
        let joined = under_way.by_key.get(&key).and_then(|(_, flight)| flight.upgrade());
        if let Some(flight) = joined.filter(|flight| flight.peek().is_none()) {
            return (false, flight);
        }
        let number = under_way.next;
        under_way.next += 1;
        let landed = Landed {
            under_way: Arc::clone(&self.0),
            key,
            number,
        };
        let computed = compute();
        let task = async move {
            let result = computed.await;
            drop(landed);
            result
        };
        let flight = Task(tokio::spawn(task.in_current_span())).boxed().shared();
        if let Some(weak) = flight.downgrade() {
            under_way.by_key.insert(key, (number, weak));
        }
        (true, flight)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets a computation when it has ended in whatever way.
struct Landed<K: Copy + Eq + Hash, T: Clone> {
    under_way: Arc<Mutex<UnderWay<K, T>>>,
    key: K,
    number: u64,
}

impl<K: Copy + Eq + Hash, T: Clone> Drop for Landed<K, T> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.under_way);
        if under_way
            .by_key
            .get(&self.key)
            .is_some_and(|(number, _)| *number == self.number)
        {
            under_way.by_key.remove(&self.key);
        }
    }
}

/// A task that ends soon after nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if self.0.is_finished() {
            return;
        }
        let task = self.0.abort_handle();
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    tokio::time::sleep(UNWANTED).await;
                    task.abort();
                });
            }
            Err(_) => task.abort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_hangs_up_leaves_the_computation_to_the_others() {
        let flights = Flights::<u8, usize>::new();
        let (count, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let compute = || -> BoxFuture<'static, usize> {
            let (count, gate) = (Arc::clone(&count), Arc::clone(&gate));
            Box::pin(async move {
                let _ = gate.acquire().await;
                count.fetch_add(1, Ordering::SeqCst)
            })
        };
        let first = tokio::time::timeout(Duration::from_millis(20), flights.join(1, compute));
        let second = flights.join(1, compute);
        let opening = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            gate.add_permits(1);
        };
        let (first, second, ()) = tokio::join!(first, second, opening);
        assert!(first.is_err());
        assert_eq!(second, (false, Some(0)));
        // It is over: the next request has one of its own.
        gate.add_permits(1);
        assert_eq!(flights.join(1, compute).await, (true, Some(1)));
        assert!(lock(&flights.0).by_key.is_empty());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends() {
        let flights = Flights::<u8, ()>::new();
        let held = Arc::new(());
        let kept = Arc::clone(&held);
        let endless = || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                std::future::pending::<()>().await;
                drop(kept);
            })
        };
        let waiting = tokio::time::timeout(Duration::from_millis(10), flights.join(1, endless));
        assert!(waiting.await.is_err());
        assert_eq!(Arc::strong_count(&held), 2);
        let limit = Duration::from_secs(20);
        recap_testing::eventually("its end", limit, async || Arc::strong_count(&held), |count| *count == 1).await;
        assert!(lock(&flights.0).by_key.is_empty());
    }
}
