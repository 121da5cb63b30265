//! Clients who mean well: dashboards of an organization that nobody else asks for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::target::Attacked;
use crate::{http::Client, samples::Samples};

/// Clients, and the pause of each between two requests.
const CLIENTS: u64 = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// The organization they are of.
const ORGANIZATION: u32 = 7;

/// Clients at work.
pub struct Good {
    clients: JoinSet<anyhow::Result<Seen>>,
    stop: Arc<AtomicBool>,
}

impl Good {
    pub fn start(attacked: &Attacked) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let token = attacked.token(ORGANIZATION, &format!("user_{number}"));
            let (host, stop) = (attacked.host.clone(), Arc::clone(&stop));
            let lists: Vec<String> = (0..50)
                .map(|n| attacked.list(900_000_000 + 1_000 * number + n))
                .collect();
            clients.spawn(async move {
                let (token, mut seen, mut client) = (token?, Seen::default(), None);
                let stats = lists[0].replace("getInteractions", "getStats");
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let list = &lists[turn % lists.len()];
                    let path = match turn % 4 {
                        0 => format!("{list}&limit=50"),
                        1 => format!("{}&limit=20", lists[0]),
                        2 => stats.clone(),
                        // Unpaged and short.
                        _ => format!("{list}&userId=user_nobody"),
                    };
                    let asked = Instant::now();
                    // A connection that was closed meanwhile is opened anew, as every client does.
                    let answer = match &mut client {
                        None => ask(&mut client, &host, &token, &path).await,
                        Some(open) => match Client::get(open, &path).await {
                            Ok(answer) => Some(answer.status),
                            Err(_) => ask(&mut client, &host, &token, &path).await,
                        },
                    };
                    seen.latency.add_millis(asked.elapsed());
                    *seen.statuses.entry(answer.unwrap_or(0)).or_default() += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(seen)
            });
        }
        Self { clients, stop }
    }

    /// What they have seen.
    pub async fn stop(&mut self) -> anyhow::Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        while let Some(seen) = self.clients.join_next().await {
            all.extend(seen??);
        }
        Ok(all)
    }
}

async fn ask(client: &mut Option<Client>, host: &str, token: &str, path: &str) -> Option<u16> {
    let mut open = Client::connect(host, token).await.ok()?;
    let answer = open.get(path).await;
    *client = answer.is_ok().then_some(open);
    answer.ok().map(|answer| answer.status)
}

/// Answers to good clients.
#[derive(Debug, Default)]
pub struct Seen {
    latency: Samples,
    /// 0 is an answer that did not come.
    statuses: BTreeMap<u16, u64>,
}

impl Seen {
    pub const HEAD: &str = "attack                          p50 ms   p99 ms   max ms   MiB  statuses of good requests";

    pub fn extend(&mut self, other: Self) {
        self.latency.extend(other.latency);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
    }

    pub fn line(&self, attack: &str, resident: f64) -> String {
        let statuses: Vec<String> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        let at = |hundredths| self.latency.percentile(hundredths);
        format!(
            "{attack:<30} {:>7.1} {:>8.1} {:>8.1} {resident:>5.0}  {}",
            at(50),
            at(99),
            at(100),
            statuses.join(", ")
        )
    }
}
