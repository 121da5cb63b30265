//! Life and death of `recap clerk serve`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use recap_log::Log;
use recap_service::{
    probes::{self, Probe},
    tasks::{Crashed, Tasks},
};
use recap_telemetry::{ClerkMetrics, MetricsRegistry};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    ServeSettings,
    api::{Api, ApiError},
    bridge::{Bridge, NoClient},
    follower::Follower,
    listener,
    receiver::{Receiver, routes},
    sender::Sender,
};

/// Not a group that is joined: what offsets are looked up as.
const GROUP: &str = "recap-clerk";
/// Longer than a webhook may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// Why the bridge cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error("{variable} {addr}: {source}")]
    Listen {
        /// Which setting.
        variable: &'static str,
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A Kafka client cannot be made.
    #[error(transparent)]
    Kafka(#[from] NoClient),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A thread cannot be started.
    #[error("no thread to read the topic of users: {0}")]
    Thread(#[source] std::io::Error),
}

/// The parts of the bridge, with clients that connect by themselves.
pub(crate) fn bridge(settings: &crate::arguments::Common, metrics: ClerkMetrics) -> Result<Bridge, ServeError> {
    let log = Log::new(settings.cluster.clone(), [settings.topic.as_str()], GROUP);
    Ok(Bridge {
        api: Api::new(&settings.api_url, settings.secret_key.clone(), metrics)?,
        sender: Sender::new(&settings.cluster, &settings.topic).map_err(NoClient)?,
        follower: Follower::start(log).map_err(ServeError::Thread)?,
        shape: settings.shape,
    })
}

/// A bridge that is serving. Dropping it stops it at once.
#[must_use = "dropping it stops the bridge"]
pub struct RunningBridge {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where health and metrics are.
    pub admin_addr: SocketAddr,
    health: Arc<Health>,
    connections: JoinHandle<()>,
    tasks: Tasks,
}

struct Health {
    receiver: Arc<Receiver>,
    stop: CancellationToken,
}

impl Probe for Health {
    fn not_alive(&self) -> Option<String> {
        None
    }

    fn not_ready(&self) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some("stopping".to_owned());
        }
        let bridge = &self.receiver.bridge;
        let trouble = bridge.follower.trouble().or_else(|| bridge.sender.trouble());
        trouble.map(|trouble| format!("Kafka: {trouble}"))
    }
}

/// Starts the bridge. It listens when this returns; Kafka and Clerk may still be away (`/readyz` on the admin address says so).
pub async fn serve(settings: ServeSettings, registry: &MetricsRegistry) -> Result<RunningBridge, ServeError> {
    let (listener, addr) = listen("RECAP_HTTP_ADDR", settings.http_addr).await?;
    let (admin_listener, admin_addr) = listen("RECAP_ADMIN_ADDR", settings.admin_addr).await?;
    let metrics = ClerkMetrics::new(&registry.meter());
    let bridge = bridge(&settings.common, metrics.clone())?;
    let receiver = Arc::new(Receiver::new(bridge, settings.secrets, metrics));
    let health = Arc::new(Health {
        receiver: Arc::clone(&receiver),
        stop: CancellationToken::new(),
    });
    let admin_routes = probes::routes(Arc::clone(&health), registry.clone());
    let mut tasks = Tasks::default();
    // Health is answered for as long as anything is.
    let admin = listener::serve(admin_listener, admin_routes, CancellationToken::new());
    tasks.spawn("health and metrics", admin);
    let connections = tokio::spawn(listener::serve(listener, routes(receiver), health.stop.clone()));
    tracing::info!(%addr, %admin_addr, path = crate::receiver::PATH, "serving");
    Ok(RunningBridge {
        addr,
        admin_addr,
        health,
        connections,
        tasks,
    })
}

async fn listen(variable: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { variable, addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}

impl RunningBridge {
    /// The first part of the bridge that ends by itself; as long as all run, this waits.
    pub async fn crashed(&mut self) -> Crashed {
        tokio::select! {
            crashed = self.tasks.crashed() => crashed,
            _ = &mut self.connections => Crashed("connections"),
        }
    }

    /// Takes no more webhooks and finishes those it has. Whether it could in time; Clerk sends the others again.
    pub async fn stop(mut self) -> bool {
        self.health.stop.cancel();
        tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut self.connections)
            .await
            .is_ok()
    }
}

impl Drop for RunningBridge {
    fn drop(&mut self) {
        self.connections.abort();
    }
}
