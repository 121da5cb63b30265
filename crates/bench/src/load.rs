//! Clients of both kinds: in a closed loop each asks again as soon as it has its answer, in an open one when its time has come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{http::Client, samples::Samples};

/// Who asks whom.
#[derive(Clone, Debug)]
pub struct Target {
    pub host: String,
    pub token: String,
}

/// What the clients saw together.
#[derive(Debug, Default)]
pub struct Load {
    pub requests_per_second: f64,
    /// Milliseconds from the request to the last byte.
    pub latency: Samples,
    /// Bytes of bodies.
    pub bytes: usize,
}

/// Runs `connections` clients for `time`, after a tenth of it to warm up. `path` makes the nth request of all.
pub async fn run(
    target: &Target,
    connections: usize,
    time: Duration,
    path: impl Fn(u64) -> String + Send + Sync + 'static,
) -> anyhow::Result<Load> {
    let path = Arc::new(path);
    let number = Arc::new(AtomicU64::new(0));
    let begin = Instant::now() + time / 10;
    let end = begin + time;
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (path, number, target) = (Arc::clone(&path), Arc::clone(&number), target.clone());
        clients.spawn(async move {
            let mut client = Client::connect(&target.host, &target.token).await?;
            let (mut latency, mut bytes) = (Samples::default(), 0);
            while Instant::now() < end {
                let asked = path(number.fetch_add(1, Ordering::Relaxed));
                let answer = client.get_ok(&asked).await?;
                if Instant::now() >= begin {
                    latency.add_millis(answer.total);
                    bytes += answer.bytes;
                }
            }
            anyhow::Ok((latency, bytes))
        });
    }
    together(clients, time).await
}

/// The same at so many requests a second, whatever the answers take: each is timed from when it was due, so nobody waits unseen (coordinated omission).
pub async fn run_open(
    target: &Target,
    connections: usize,
    rate: f64,
    time: Duration,
    path: impl Fn(u64) -> String + Send + Sync + 'static,
) -> anyhow::Result<Load> {
    let path = Arc::new(path);
    let number = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let (begin, end) = (started + time / 10, started + time / 10 + time);
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (path, number, target) = (Arc::clone(&path), Arc::clone(&number), target.clone());
        clients.spawn(async move {
            let mut client = Client::connect(&target.host, &target.token).await?;
            let (mut latency, mut bytes) = (Samples::default(), 0);
            loop {
                let turn = number.fetch_add(1, Ordering::Relaxed);
                let due = started + Duration::from_secs_f64(count(usize::try_from(turn)?) / rate);
                if due >= end {
                    return anyhow::Ok((latency, bytes));
                }
                tokio::time::sleep_until(due.into()).await;
                let answer = client.get_ok(&path(turn)).await?;
                if due >= begin {
                    latency.add_millis(due.elapsed());
                    bytes += answer.bytes;
                }
            }
        });
    }
    together(clients, time).await
}

async fn together(mut clients: JoinSet<anyhow::Result<(Samples, usize)>>, time: Duration) -> anyhow::Result<Load> {
    let mut load = Load::default();
    while let Some(client) = clients.join_next().await {
        let (latency, bytes) = client??;
        load.latency.extend(latency);
        load.bytes += bytes;
    }
    load.requests_per_second = count(load.latency.len()) / time.as_secs_f64();
    Ok(load)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub const fn count(number: usize) -> f64 {
    number as f64
}
