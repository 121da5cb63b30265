//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them.

use std::time::Duration;

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::stall_timeout::StallTimeout;
use crate::config::Timeouts;

/// Between two attempts to accept, when the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Requests on one HTTP/2 connection at a time.
const MAX_STREAMS: u32 = 128;
/// What hyper takes of a request's head. Far above what `router/bounds.rs` lets through, whose refusals can be read.
const MAX_HEAD_BYTES: u32 = 128 * 1024;
/// An idle HTTP/2 connection is asked for a sign of life this often.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Serves connections until `stop`, then until all are done. Aborting it aborts them.
pub(crate) async fn serve(listener: TcpListener, router: Router, timeouts: Timeouts, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let builder = builder(timeouts);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Small answers should not wait for acknowledgements.
                    let _ = stream.set_nodelay(true);
                    let stream = StallTimeout::new(stream, timeouts.headers, timeouts.write);
                    let connection = serve_connection(builder.clone(), stream, router.clone(), graceful.watcher());
                    connections.spawn(connection);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection cannot be accepted");
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
    stream: StallTimeout<TcpStream>,
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
