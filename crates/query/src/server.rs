//! Life and death of the service: listening, serving connections, draining.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use recap_store::ReadError;
use recap_telemetry::MetricsRegistry;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Timeouts},
    patience::Patience,
    router::router,
    service::Service,
};

/// The change feed proves itself this often within the allowed staleness.
const PINGS_PER_STALENESS: u32 = 4;
const MIN_PING_INTERVAL: Duration = Duration::from_millis(50);
const MAX_PING_INTERVAL: Duration = Duration::from_secs(1);
/// Between two attempts to accept, when the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Requests on one HTTP/2 connection at a time.
const MAX_STREAMS: u32 = 128;
/// What hyper takes of a request's head. Far above what `router.rs` lets through, whose refusals can be read.
const MAX_HEAD_BYTES: u32 = 128 * 1024;
/// An idle HTTP/2 connection is asked for a sign of life this often.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("can't listen on {addr}")]
    Listen {
        /// Which.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The client for the issuer's keys could not be made.
    #[error("the client for Clerk's keys can't be made")]
    Clerk(#[source] reqwest::Error),
    /// `DATABASE_URL` can't be used.
    #[error("DATABASE_URL can't be used")]
    Database(#[from] ReadError),
}

/// A service that is serving. Dropping it stops it at once; [`RunningServer::stop`] is the polite way.
#[must_use = "dropping it stops the service"]
pub struct RunningServer {
    /// Where it listens.
    pub addr: SocketAddr,
    service: Arc<Service>,
    timeouts: Timeouts,
    stop: CancellationToken,
    connections: JoinHandle<()>,
    _background: JoinSet<()>,
}

/// Starts the service. It listens when this returns; the database and Clerk may still be away (`/readyz` tells).
pub async fn serve(config: Config, registry: MetricsRegistry) -> Result<RunningServer, ServeError> {
    let listener = TcpListener::bind(config.http_addr)
        .await
        .map_err(|source| ServeError::Listen {
            addr: config.http_addr,
            source,
        })?;
    let addr = listener.local_addr().map_err(|source| ServeError::Listen {
        addr: config.http_addr,
        source,
    })?;
    let service = Arc::new(Service::new(&config, registry)?);

    let mut background = JoinSet::new();
    let shared = Arc::clone(&service);
    background.spawn(async move { shared.verifier.keep_keys_fresh().await });
    let shared = Arc::clone(&service);
    background.spawn(async move { shared.rate.sweep().await });
    let ping_every = (config.cache.max_staleness / PINGS_PER_STALENESS).clamp(MIN_PING_INTERVAL, MAX_PING_INTERVAL);
    background.spawn(Arc::clone(&service.feed).follow(
        config.database_url.clone(),
        ping_every,
        service.metrics.clone(),
    ));

    let stop = CancellationToken::new();
    let router = router(Arc::clone(&service), &config);
    let connections = tokio::spawn(accept(listener, router, config.timeouts, stop.clone()));
    tracing::info!(%addr, "serving");
    Ok(RunningServer {
        addr,
        service,
        timeouts: config.timeouts,
        stop,
        connections,
        _background: background,
    })
}

impl RunningServer {
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

/// Serves connections until told to stop, then until all are done. Aborting it aborts them.
async fn accept(listener: TcpListener, router: Router, timeouts: Timeouts, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let builder = builder(timeouts);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Small answers should not wait for acknowledgements.
                    let _ = stream.set_nodelay(true);
                    let stream = Patience::new(stream, timeouts.headers, timeouts.write);
                    let connection = serve_connection(builder.clone(), stream, router.clone(), graceful.watcher());
                    connections.spawn(connection);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection can't be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn serve_connection(
    builder: Builder<TokioExecutor>,
    stream: Patience<TcpStream>,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let connection = builder
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        // Clients hang up, and streams are cut off on purpose: neither is news.
        tracing::debug!(
            error = error.as_ref() as &dyn std::error::Error,
            "a connection ended early"
        );
    }
}

fn builder(timeouts: Timeouts) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.headers)
        .max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(KEEP_ALIVE)
        .max_header_list_size(MAX_HEAD_BYTES);
    builder
}
