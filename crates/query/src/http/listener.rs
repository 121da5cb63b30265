//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them.

mod client_stream;
mod connections;
mod counted_requests;
mod executor;
mod wire;

use std::{pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::connections::ConnectionLimits;
use self::{
    client_stream::ClientStream,
    connections::{Admission, Connections},
    counted_requests::CountedRequests,
    executor::StreamExecutor,
};
use super::pressure::Pressure;
use crate::config::Timeouts;

/// Between two attempts to accept, when the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Requests on one HTTP/2 connection at a time.
const MAX_STREAMS: u32 = 128;
/// What hyper takes of a request's head. Far above what `router/bounds.rs` lets through, whose refusals can be read.
const MAX_HEAD_BYTES: u32 = 128 * 1024;
/// An idle HTTP/2 connection is asked for a sign of life this often.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests that may be reset before the service got to see them: a proxy's clients leave together. How fast is bounded in `wire/frames.rs`.
const MAX_EARLY_RESETS: usize = 1_024;
/// Requests beyond [`MAX_STREAMS`] and the like, in a connection's whole life.
const MAX_REFUSED_STREAMS: usize = 4_096;
/// Bytes of one HTTP/2 answer that wait in hyper.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// How long a connection that is told to end may take for it when nothing is in progress.
const GOODBYE: Duration = Duration::from_secs(1);

/// The same when another client needs its place, which is taken only when it is gone.
const DISPLACED_GOODBYE: Duration = Duration::from_millis(10);
/// Connections beyond the bound that may be about to end: until one has, no other is accepted. Each is a file of the process.
pub(crate) const ENDING: usize = 16;

/// What connections of a listener have in common.
#[derive(Clone)]
pub(crate) struct Listening {
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: ConnectionLimits,
    pub(crate) pressure: Pressure,
    /// Called for every connection that is turned away.
    pub(crate) turned_away: Arc<dyn Fn() + Send + Sync>,
}

/// Serves connections until `stop`, then until all are done. Aborting it aborts them.
pub(crate) async fn serve(listener: TcpListener, router: Router, listening: Listening, stop: CancellationToken) {
    let timeouts = listening.timeouts;
    let connections = Connections::new(listening.limits);
    let mut serving = JoinSet::new();
    let builder = builder(timeouts);
    loop {
        let has_room = serving.len() < listening.limits.most.saturating_add(ENDING);
        tokio::select! {
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, address)) => {
                    let Some(admission) = connections.admit(address.ip()) else {
                        (listening.turned_away)();
                        continue;
                    };
                    // Small answers should not wait for acknowledgements.
                    let _ = stream.set_nodelay(true);
                    let connection = Arc::clone(admission.connection());
                    let pressure = listening.pressure.clone();
                    let stream = ClientStream::new(stream, connection, timeouts.headers, timeouts.write, pressure);
                    let served = serve_connection(builder.clone(), stream, router.clone(), admission, timeouts.idle, stop.clone());
                    serving.spawn(served);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
            Some(_) = serving.join_next() => {}
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    while serving.join_next().await.is_some() {}
}

async fn serve_connection(
    builder: Builder<StreamExecutor>,
    stream: ClientStream<TcpStream>,
    router: Router,
    admission: Admission,
    idle: Duration,
    stop: CancellationToken,
) {
    let service = CountedRequests::new(router, Arc::clone(admission.connection()));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let goodbye = tokio::select! {
        ended = connection.as_mut() => return log_end(ended),
        () = stop.cancelled() => GOODBYE,
        () = admission.displaced() => DISPLACED_GOODBYE,
        () = admission.flooded.cancelled() => GOODBYE,
        () = admission.idle(idle) => GOODBYE,
    };
    // HTTP/2 says GOAWAY, HTTP/1 closes behind the answer.
    connection.as_mut().graceful_shutdown();
    loop {
        match tokio::time::timeout(goodbye, connection.as_mut()).await {
            Ok(ended) => return log_end(ended),
            // Requests have time limits of their own.
            Err(_) if admission.is_busy() && !admission.flooded.is_cancelled() => {}
            Err(_) => return,
        }
    }
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        // Clients hang up, and streams are cut off on purpose: neither is news.
        tracing::debug!(
            error = error.as_ref() as &dyn std::error::Error,
            "a connection ended early"
        );
    }
}

fn builder(timeouts: Timeouts) -> Builder<StreamExecutor> {
    let mut builder = Builder::new(StreamExecutor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.headers)
        .max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_EARLY_RESETS)
        .max_local_error_reset_streams(MAX_REFUSED_STREAMS)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(KEEP_ALIVE)
        .max_header_list_size(MAX_HEAD_BYTES);
    builder
}
