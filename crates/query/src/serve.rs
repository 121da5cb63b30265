//! Life and death of the service: listening, serving connections, draining.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use recap_service::{
    descriptors,
    tasks::{Crashed, Tasks},
};
use recap_telemetry::MetricsRegistry;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Changes, Config, Limits, Timeouts},
    endpoints::health,
    http::{
        listener::{self, ConnectionLimits, ENDING, Listening},
        pressure::Pressure,
        turns::Turns,
    },
    router::router,
    service::{ServeError, Service},
};

/// The change feed proves itself this often within the allowed staleness.
const PINGS_PER_STALENESS: u32 = 4;
const MIN_PING_INTERVAL: Duration = Duration::from_millis(50);
const MAX_PING_INTERVAL: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted; beyond it a client tries again after a second. The kernel may allow fewer.
const BACKLOG: u32 = 4096;
/// What the kernel keeps of answers for one client, at most; by itself it grows to megabytes, which count against a container's memory like the
/// service's own. Some 20 Mbit/s over 100 ms.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// Connections of those who run the service, and their part where there are few.
const ADMIN_CONNECTIONS: u64 = 512;
const ADMIN_PART: u64 = 4;
/// Files that are no connections of clients and no connections for answers: keys, traces, the change feed, the program's own.
const OWN_FILES: u64 = 48;

/// A service that is serving. Dropping it stops it at once; [`RunningServer::stop`] lets open requests finish.
#[must_use = "dropping it stops the service"]
pub struct RunningServer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where health and metrics are.
    pub admin_addr: SocketAddr,
    service: Arc<Service>,
    timeouts: Timeouts,
    stop: CancellationToken,
    connections: JoinHandle<()>,
    tasks: Tasks,
}

/// Starts the service. It listens when this returns; the database and Clerk may still be away (`/readyz` on the admin address says so).
pub async fn serve(config: Config, registry: MetricsRegistry) -> Result<RunningServer, ServeError> {
    let (listener, addr) = listen(config.http_addr)?;
    let (admin_listener, admin_addr) = listen(config.admin_addr)?;
    let service = Arc::new(Service::new(&config, registry)?);

    let mut tasks = Tasks::default();
    tasks.spawn("authentication", service.authentication.clone().maintain());
    let ping_every = (config.cache.max_staleness / PINGS_PER_STALENESS).clamp(MIN_PING_INTERVAL, MAX_PING_INTERVAL);
    if let Changes::From(changes) = &config.changes {
        let feed = Arc::clone(&service.feed);
        let reader = service.database_check.reader().clone();
        let feed = feed.follow(changes.clone(), reader, ping_every, service.metrics.clone());
        tasks.spawn("change feed", feed);
    } else {
        tracing::info!("the change feed is off: cached answers are kept by age alone");
    }

    let (client_connections, admin_connections) = connections(&config.limits);
    // Health is answered for as long as anything is: it ends with the process, and not with a drain.
    let admin = Listening {
        timeouts: config.timeouts,
        limits: admin_connections,
        pressure: Pressure::default(),
        turned_away: Arc::new(|| ()),
    };
    let admin = listener::serve(
        admin_listener,
        health::routes(Arc::clone(&service)),
        admin,
        CancellationToken::new(),
    );
    tasks.spawn("health and metrics", admin);

    let stop = CancellationToken::new();
    let router = router(Arc::clone(&service), &config);
    let metrics = service.metrics.clone();
    let listening = Listening {
        timeouts: config.timeouts,
        limits: client_connections,
        pressure: service.memory.pressure(),
        turned_away: Arc::new(move || metrics.limited("connections")),
    };
    let connections = tokio::spawn(listener::serve(listener, router, listening, stop.clone()));
    tracing::info!(%addr, %admin_addr, "serving");
    Ok(RunningServer {
        addr,
        admin_addr,
        service,
        timeouts: config.timeouts,
        stop,
        connections,
        tasks,
    })
}

/// Connections of clients as configured, but no more than there are files to open for them, and those of the admin address.
fn connections(limits: &Limits) -> (ConnectionLimits, ConnectionLimits) {
    let ending = 2 * ENDING as u64;
    let own = u64::from(limits.connections) + u64::from(limits.streams + Turns::BEGINNINGS) + ending + OWN_FILES;
    let left = descriptors::limit().saturating_sub(own).max(ADMIN_PART);
    let admin = ADMIN_CONNECTIONS.min(left / ADMIN_PART);
    let possible = left - admin;
    let configured = u64::from(limits.client_connections);
    if possible < configured {
        tracing::warn!(
            RECAP_MAX_CONNECTIONS = configured,
            possible,
            "the process may not open as many files as there may be connections: raise its limit (ulimit -n)"
        );
    }
    let bounds = |most: u64, most_per_address: u32| ConnectionLimits {
        most: usize::try_from(most).unwrap_or(usize::MAX),
        most_per_address: most_per_address as usize,
    };
    let clients = bounds(possible.min(configured), limits.client_connections_per_address);
    (clients, bounds(admin, 0))
}

/// Listens on `addr`, also with its port when that is to be a free one.
fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let listen = || {
        let socket = if addr.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restart should not have to wait for the connections of before.
        socket.set_reuseaddr(true)?;
        // Accepted connections have what the listener has.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(addr)?;
        let listener = socket.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    };
    listen().map_err(|source| ServeError::Listen { addr, source })
}

impl RunningServer {
    /// The first task of the service that ends by itself; as long as all run, this waits.
    pub async fn crashed(&mut self) -> Crashed {
        tokio::select! {
            crashed = self.tasks.crashed() => crashed,
            _ = &mut self.connections => Crashed("connections"),
        }
    }

    /// Says "not ready", goes on for the drain delay, then takes no more connections and lets open requests finish until the
    /// deadline. Whether all did.
    pub async fn stop(mut self) -> bool {
        self.service.drain();
        tokio::time::sleep(self.timeouts.drain_delay).await;
        self.stop.cancel();
        let finished = tokio::time::timeout(self.timeouts.shutdown, &mut self.connections)
            .await
            .is_ok();
        if !finished {
            tracing::warn!("open requests were cut off at the shutdown's deadline");
        }
        finished
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.connections.abort();
    }
}
