//! Connections that are open: how many there may be, and which of them makes room for a new one.

use std::{
    collections::HashMap,
    net::IpAddr,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection that has not asked yet is about to, for so long.
const NEW: Duration = Duration::from_millis(20);
/// A connection that has waited for so long for its next request is opened anew as easily.
const RESTING: Duration = Duration::from_secs(5);

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// All that are open.
    pub(crate) most: usize,
    /// Of one address; 0 is no bound.
    pub(crate) most_per_address: usize,
}

/// Every connection of a listener.
pub(super) struct Connections {
    limits: ConnectionLimits,
    began: Instant,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    addresses: HashMap<IpAddr, usize>,
}

/// One connection, as far as others are concerned.
pub(super) struct Connection {
    opened: Instant,
    /// Requests in progress, to the last byte of their answers.
    requests: AtomicUsize,
    /// When the last request ended, in milliseconds since the listener began; 0 when there was none.
    idle_since: AtomicU64,
    began: Instant,
    /// It has to make room for another.
    displaced: CancellationToken,
    /// Its client floods it.
    pub(super) flooded: CancellationToken,
}

/// A connection's place among the others, until it is dropped.
pub(super) struct Admission {
    id: u64,
    address: IpAddr,
    connections: Arc<Connections>,
    connection: Arc<Connection>,
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            began: Instant::now(),
            open: Mutex::default(),
        })
    }

    /// A place for a new connection; where all are taken, that of the one that is missed least. None when each has a request in progress, or
    /// when this address has its share.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admission> {
        let mut open = self.lock();
        let of_address = open.addresses.get(&address).copied().unwrap_or_default();
        if self.limits.most_per_address > 0 && of_address >= self.limits.most_per_address {
            return None;
        }
        if open.connections.len() >= self.limits.most {
            let (id, _) = open
                .connections
                .iter()
                .filter_map(|(id, connection)| Some((*id, connection.dispensable()?)))
                .max_by_key(|(_, dispensable)| *dispensable)?;
            // Its own admission is dropped a little later.
            if let Some(displaced) = open.connections.remove(&id) {
                displaced.displaced.cancel();
            }
        }
        let id = open.next;
        open.next += 1;
        *open.addresses.entry(address).or_default() += 1;
        let connection = Arc::new(Connection {
            opened: Instant::now(),
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            began: self.began,
            displaced: CancellationToken::new(),
            flooded: CancellationToken::new(),
        });
        open.connections.insert(id, Arc::clone(&connection));
        Some(Admission {
            id,
            address,
            connections: Arc::clone(self),
            connection,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// How readily it makes room, if at all: those that never asked before those that rest, and both before those that may be about to ask; of
    /// equal ones that which has waited longest.
    fn dispensable(&self) -> Option<(u8, Duration)> {
        if self.is_busy() {
            return None;
        }
        let idle = self.idle_for();
        let never_asked = self.idle_since.load(Ordering::Relaxed) == 0;
        let rank = match (never_asked, idle) {
            (true, idle) if idle >= NEW => 3,
            (false, idle) if idle >= RESTING => 2,
            (true, _) => 1,
            (false, _) => 0,
        };
        Some((rank, idle))
    }

    /// Whether a request is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.requests.load(Ordering::Acquire) > 0
    }

    /// How long it has waited for a request.
    fn idle_for(&self) -> Duration {
        let since = match self.idle_since.load(Ordering::Relaxed) {
            0 => self.opened,
            milliseconds => self.began + Duration::from_millis(milliseconds),
        };
        since.elapsed()
    }

    /// Ends when another needs its place.
    pub(super) async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// Ends when it has waited for a request for so long.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let idle = if self.is_busy() {
                Duration::ZERO
            } else {
                self.idle_for()
            };
            if idle >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(idle)).await;
        }
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>) -> RequestGuard {
        self.requests.fetch_add(1, Ordering::AcqRel);
        RequestGuard(Arc::clone(self))
    }
}

/// A request in progress.
pub(super) struct RequestGuard(Arc<Connection>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since.store(now.max(1), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Deref for Admission {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.connections.remove(&self.id);
        if let Some(count) = open.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn connections(most: usize, most_per_address: usize) -> Arc<Connections> {
        Connections::new(ConnectionLimits { most, most_per_address })
    }

    #[tokio::test]
    async fn a_silent_one_makes_room_and_a_busy_one_never_does() {
        let connections = connections(3, 0);
        let busy = connections.admit(HERE).unwrap();
        let _request = busy.connection().request();
        let served = connections.admit(HERE).unwrap();
        drop(served.connection().request());
        let silent = connections.admit(HERE).unwrap();
        tokio::time::sleep(2 * NEW).await;
        let new = connections.admit(THERE).unwrap();
        assert_eq!(
            [&busy, &served, &silent, &new].map(|one| one.displaced.is_cancelled()),
            [false, false, true, false]
        );
        let _requests = [served.connection().request(), new.connection().request()];
        assert!(connections.admit(THERE).is_none());
        drop(busy);
        assert!(connections.admit(THERE).is_some());
    }

    #[tokio::test]
    async fn an_address_has_its_share() {
        let connections = connections(10, 2);
        let here = [connections.admit(HERE).unwrap(), connections.admit(HERE).unwrap()];
        assert!(connections.admit(HERE).is_none());
        assert!(connections.admit(THERE).is_some());
        drop(here);
        assert!(connections.admit(HERE).is_some());
        assert!(connections.lock().addresses.is_empty());
    }
}
