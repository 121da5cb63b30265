//! The rows of the reading table.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use recap_service::clock;
use tokio::task::JoinSet;

use super::{
    Bench,
    busy::{self, Traffic},
    filled,
    paths::Paths,
    pgbench,
};
use crate::{
    freshness::start_query,
    http::Client,
    load::{self, Load, Target, count},
    memory_server::MemoryServer,
    report::{Row, Verdict, whole},
    samples::Samples,
    stack::Databases,
    stored::{Contents, LARGEST},
};

const CONNECTIONS: [usize; 3] = [1, 16, 256];

impl Bench {
    fn target(&self) -> &Target {
        &self.query.target
    }

    async fn uncached_load(&self, connections: usize) -> anyhow::Result<Load> {
        let paths = self.paths;
        load::run(self.target(), connections, self.plan.time, move |number| {
            paths.uncached(number)
        })
        .await
    }

    pub async fn cached_page(&mut self) -> anyhow::Result<()> {
        let path = self.paths.page();
        let mut client = Client::connect(&self.target().host, &self.target().token).await?;
        client.get_ok(&path).await?;
        let memory = MemoryServer::start(&client.body)?;
        let (mut limits, mut cached) = (Vec::new(), Vec::new());
        for connections in CONNECTIONS {
            let same = path.clone();
            limits.push(load::run(&memory.target, connections, self.plan.time, move |_| same.clone()).await?);
            let same = path.clone();
            cached.push(load::run(self.target(), connections, self.plan.time, move |_| same.clone()).await?);
        }
        let rates = |loads: &[Load]| -> Vec<f64> { loads.iter().map(|load| load.requests_per_second).collect() };
        let (limit, rate) = (rates(&limits), rates(&cached));
        let shown = |rates: &[f64]| rates.iter().map(|rate| whole(*rate)).collect::<Vec<_>>().join(" / ");
        let text = format!(
            "{} requests/s at 1 / 16 / 256 connections, {} bytes each",
            shown(&limit),
            client.body.len()
        );
        self.report
            .add(Row::new("limit", text, "1", Verdict::Reported).with("requests_per_second_16", limit[1]));
        let part = rate[1] / limit[1];
        let text = format!(
            "{} requests/s, {part:.2} of the limit at 16; p99 {:.1} ms",
            shown(&rate),
            cached[1].latency.percentile(99)
        );
        let row = Row::new("cached page", text, "≥ 0.8 of the limit", Verdict::of(part >= 0.8))
            .with("requests_per_second_16", rate[1])
            .with("of_limit", part);
        self.report.add(row);
        Ok(())
    }

    pub async fn uncached_page(&mut self) -> anyhow::Result<()> {
        let mut loads = Vec::new();
        for connections in CONNECTIONS {
            loads.push(self.uncached_load(connections).await?);
        }
        let shown: Vec<String> = loads
            .iter()
            .map(|load| format!("{:.1}/{:.1} ms", load.latency.median(), load.latency.percentile(99)))
            .collect();
        let slow = loads[1].latency.percentile(99);
        let text = format!(
            "p50/p99 {} at 1, 16, 256 connections; {} requests/s at 16",
            shown.join(", "),
            whole(loads[1].requests_per_second)
        );
        let rate = loads[1].requests_per_second;
        let met = Verdict::of(slow <= 20.0 && rate >= 1_200.0);
        let row = Row::new("uncached page", text, "≥ 1,200 pages/s, p99 ≤ 20 ms at 16", met)
            .with("p99_ms_16", slow)
            .with("requests_per_second_16", rate);
        self.report.add(row);

        let paths = self.paths;
        let half = load::run_open(self.target(), 64, rate / 2.0, self.plan.time, move |number| {
            paths.uncached(number + 10_000_000)
        });
        let half = half.await?;
        let slow = half.latency.percentile(99);
        let text = format!(
            "p50 {:.1} ms, p99 {slow:.1} ms at {} requests/s, open loop",
            half.latency.median(),
            whole(rate / 2.0)
        );
        let row = Row::new("at half load", text, "p99 ≤ 10 ms", Verdict::of(slow <= 10.0)).with("p99_ms", slow);
        self.report.add(row);
        Ok(())
    }

    /// The newest conversations, of which thousands change all the time.
    pub async fn busy_organization(&mut self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let traffic = Traffic::start(&self.database, now).await?;
        let paths = self.paths;
        let load = load::run_open(self.target(), 16, 50.0, self.plan.time, move |number| {
            paths.newest(number + 20_000_000)
        });
        let (load, written) = (load.await, traffic.stop().await?);
        let load = load?;
        let slow = load.latency.percentile(99);
        let text = format!(
            "first page, {} conversations busy by {} messages/s: p50 {:.1} ms, p99 {slow:.1} ms at 50 requests/s, open loop",
            whole(f64::from(busy::CONVERSATIONS)),
            whole(written),
            load.latency.median(),
        );
        let met = Verdict::of(slow <= 25.0 && written >= 0.95 * f64::from(busy::RATE));
        let row = Row::new("busy organization", text, "p99 ≤ 25 ms at 5,000/s", met).with("p99_ms", slow);
        self.report.add(row);
        Ok(())
    }

    /// The page of a range that ends now, against its own statements without a service.
    pub async fn against_pgbench(&mut self) -> anyhow::Result<()> {
        let alone = pgbench::run(&self.database, 16, self.plan.time).await?;
        let paths = self.paths;
        let load = load::run(self.target(), 16, self.plan.time, move |number| paths.newest(number)).await?;
        let (slow, bare) = (load.latency.percentile(99), alone.percentile(99));
        let text = format!(
            "p50/p99 {:.1}/{slow:.1} ms at 16 connections, in pgbench {:.1}/{bare:.1} ms: {:.1} × at p99",
            load.latency.median(),
            alone.median(),
            slow / bare,
        );
        let row = Row::new("page / pgbench", text, "≤ 1.5 ×", Verdict::of(slow <= 1.5 * bare))
            .with("p99_ms", slow)
            .with("pgbench_p99_ms", bare);
        self.report.add(row);
        Ok(())
    }

    pub async fn old_range(&mut self) -> anyhow::Result<()> {
        let paths = self.paths;
        let load = load::run(self.target(), 16, self.plan.time, move |number| paths.old(number)).await?;
        let matches = self.plan.conversations / 10;
        let text = format!(
            "p50 {:.0} ms, p99 {:.0} ms at 16 connections, {} matches",
            load.latency.median(),
            load.latency.percentile(99),
            whole(count(usize::try_from(matches)?)),
        );
        let row = Row::new(
            "old range",
            text,
            "p50 ≤ 250 ms",
            Verdict::of(load.latency.median() <= 250.0),
        )
        .with("p50_ms", load.latency.median())
        .with("p99_ms", load.latency.percentile(99));
        self.report.add(row);
        Ok(())
    }

    /// The 1,000th page, or the last one of a smaller table, by the second of two walks: then the far pages are in memory as the
    /// first one is.
    pub async fn depth(&mut self) -> anyhow::Result<()> {
        let mut client = Client::connect(&self.target().host, &self.target().token).await?;
        let mut first = Samples::default();
        for number in 0..50 {
            first.add_millis(client.get_ok(&self.paths.newest(number)).await?.total);
        }
        walk(&mut client, self.paths.newest(100)).await?;
        let deep = walk(&mut client, self.paths.newest(101)).await?;
        let pages = deep.len();
        let mut last = Samples::default();
        for total in deep.iter().rev().skip(1).take(50) {
            last.add_millis(*total);
        }
        let ratio = last.median() / first.median();
        let text = format!(
            "page {pages}: {:.1} ms, first: {:.1} ms, {ratio:.2} ×",
            last.median(),
            first.median()
        );
        let row = Row::new("depth", text, "≤ 1.5 ×", Verdict::of(ratio <= 1.5))
            .with("ratio", ratio)
            .with("pages", count(pages));
        self.report.add(row);
        Ok(())
    }

    pub async fn metadata_filter(&mut self) -> anyhow::Result<()> {
        let paths = self.paths;
        let load = load::run(self.target(), 16, self.plan.time, move |number| paths.metadata(number)).await?;
        let slow = load.latency.percentile(99);
        let text = format!(
            "p50 {:.1} ms, p99 {slow:.1} ms, one user of {}",
            load.latency.median(),
            whole(count(usize::try_from(self.plan.users)?)),
        );
        let row = Row::new("metadata filter", text, "p99 ≤ 10 ms", Verdict::of(slow <= 10.0)).with("p99_ms", slow);
        self.report.add(row);
        Ok(())
    }

    /// What one conversation in a thousand is like, by each filter that can say so.
    pub async fn other_filters(&mut self) -> anyhow::Result<()> {
        let mut worst = 0.0_f64;
        let mut shown = Vec::new();
        for filter in ["agentId", "model", "toolName", "toolError"] {
            let paths = self.paths;
            let load = load::run(self.target(), 16, self.plan.time, move |number| {
                paths.rare(filter, number)
            })
            .await?;
            let slow = load.latency.percentile(99);
            worst = worst.max(slow);
            shown.push(format!("{filter} {:.1}/{slow:.1} ms", load.latency.median()));
        }
        let text = format!("p50/p99 at 16 connections, one match in 1,000: {}", shown.join(", "));
        let row = Row::new("other filters", text, "p99 ≤ 20 ms", Verdict::of(worst <= 20.0)).with("p99_ms", worst);
        self.report.add(row);
        Ok(())
    }

    pub async fn other_orders(&mut self) -> anyhow::Result<()> {
        let paths = self.paths;
        let load = load::run(self.target(), 4, self.plan.time, move |number| {
            paths.sorted("totalTokens", number)
        })
        .await?;
        let slow = load.latency.percentile(99);
        let text = format!(
            "sort=totalTokens, a month of {} conversations: p50 {:.0} ms, p99 {slow:.0} ms at 4 connections",
            whole(count(usize::try_from(self.plan.conversations / 10 / 12)?)),
            load.latency.median(),
        );
        let row = Row::new("other orders", text, "p99 ≤ 60 ms", Verdict::of(slow <= 60.0)).with("p99_ms", slow);
        self.report.add(row);
        Ok(())
    }

    pub async fn figures(&mut self) -> anyhow::Result<()> {
        let mut worst = 0.0_f64;
        let mut shown = Vec::new();
        for by in ["day", "agentId", "toolName"] {
            let paths = self.paths;
            let path = move |number| match by {
                "day" => paths.series(number),
                by => paths.breakdown(by, number),
            };
            let load = load::run(self.target(), 1, self.plan.time, path).await?;
            let slow = load.latency.percentile(99);
            worst = worst.max(slow);
            shown.push(format!("by {by} {:.0}/{slow:.0} ms", load.latency.median()));
        }
        let text = format!("a year, p50/p99: {}", shown.join(", "));
        let row = Row::new(
            "time series, breakdown",
            text,
            "p99 ≤ 400 ms",
            Verdict::of(worst <= 400.0),
        );
        self.report.add(row.with("p99_ms", worst));
        Ok(())
    }

    pub async fn whole_range(&mut self) -> anyhow::Result<()> {
        let mut client = Client::connect(&self.target().host, &self.target().token).await?;
        self.query.service.reset_peak()?;
        let before = self.query.service.memory()?;
        let answer = client.get_ok(&self.paths.whole()).await?;
        let after = self.query.service.memory()?;
        let grown = (after.peak - before.now).max(0.0);
        let first = answer.first_byte.as_secs_f64() * 1_000.0;
        let text = format!(
            "first byte {first:.0} ms, memory + {grown:.0} MiB, {} MB of {} conversations in {:.1} s",
            whole(count(answer.bytes / 1_000_000)),
            whole(count(usize::try_from(self.plan.conversations / 10)?)),
            answer.total.as_secs_f64(),
        );
        let met = first <= 100.0 && grown <= 64.0;
        let row = Row::new("whole range", text, "first byte ≤ 100 ms, + ≤ 64 MiB", Verdict::of(met))
            .with("first_byte_ms", first)
            .with("memory_mib", grown)
            .with("seconds", answer.total.as_secs_f64());
        self.report.add(row);
        Ok(())
    }

    pub async fn stats(&mut self) -> anyhow::Result<()> {
        let paths = self.paths;
        let load = load::run(self.target(), 1, self.plan.time, move |number| paths.stats(number)).await?;
        let slow = load.latency.percentile(99);
        let text = format!("p50 {:.0} ms, p99 {slow:.0} ms", load.latency.median());
        let row = Row::new("stats", text, "p99 ≤ 150 ms", Verdict::of(slow <= 150.0)).with("p99_ms", slow);
        self.report.add(row);
        Ok(())
    }

    /// 256 clients ask one cold key at once.
    pub async fn stampede(&mut self) -> anyhow::Result<()> {
        let path = self.paths.stats(987_654);
        let mut clients = Vec::new();
        for _ in 0..256 {
            clients.push(Client::connect(&self.target().host, &self.target().token).await?);
        }
        let before = self.statements().await?;
        let mut asking = JoinSet::new();
        for mut client in clients {
            let path = path.clone();
            asking.spawn(async move { client.get_ok(&path).await.map(|answer| answer.total) });
        }
        let mut latency = Samples::default();
        while let Some(answer) = asking.join_next().await {
            latency.add_millis(answer??);
        }
        let reached = self.statements().await? - before;
        let text = format!(
            "{reached:.0} readings for 256 requests; slowest answer {:.0} ms",
            latency.percentile(100)
        );
        // None at all would mean that something else was counted.
        let met = (reached - 1.0).abs() < 0.5;
        let row = Row::new("stampede", text, "1 statement", Verdict::of(met)).with("readings", reached);
        self.report.add(row);
        Ok(())
    }

    /// Times that the service has read from the database, by its own count.
    async fn statements(&self) -> anyhow::Result<f64> {
        let mut client = Client::connect(&self.query.admin, &self.target().token).await?;
        client.get_ok("/metrics").await?;
        let text = String::from_utf8_lossy(&client.body);
        let readings = text
            .lines()
            .filter(|line| line.starts_with("recap_query_cache_lookups_total") && line.contains("\"miss\""))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        Ok(readings)
    }
}

/// Follows the links, up to 1,000 pages; the time of each.
async fn walk(client: &mut Client, mut path: String) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    while times.len() < 1_000 {
        let answer = client.get_ok(&path).await?;
        times.push(answer.total);
        let Some(link) = answer.link else { break };
        path = next_page(&path, &link)?;
    }
    Ok(times)
}

/// The target of `Link: <?…>; rel="next"` on the answer to `path`.
fn next_page(path: &str, link: &str) -> anyhow::Result<String> {
    let (query, _) = link
        .strip_prefix('<')
        .and_then(|link| link.split_once('>'))
        .context("a Link header without a link")?;
    ensure!(query.starts_with('?'), "a Link that is not a query alone");
    let path = path.split('?').next().unwrap_or_default();
    Ok(format!("{path}{query}"))
}

/// The uncached page at two sizes of the table, with a new service each.
pub async fn growth(databases: &Databases, sizes: (i64, i64), time: Duration) -> anyhow::Result<Row> {
    let mut medians = Vec::new();
    for conversations in [sizes.0, sizes.1] {
        let now = clock::now();
        // The same questions have as many answers: only the table is larger.
        let users = (conversations / 100).max(1);
        let database = filled(databases, conversations, users, Contents::Short, now).await?;
        let query = start_query(&database, LARGEST, &[]).await?;
        let paths = Paths::new(now, conversations, users);
        // Less is in memory of the larger table. Both are asked until their pages are in memory, then timed with other questions.
        load::run(&query.target, 16, 3 * time, move |number| paths.uncached(number)).await?;
        let load = load::run(&query.target, 16, time, move |number| {
            paths.uncached(number + 100_000_000)
        })
        .await?;
        medians.push(load.latency.median());
        query.service.stop()?;
        databases.drop(database).await?;
    }
    let ratio = medians[1] / medians[0];
    let text = format!(
        "{:.1} ms with {} stored, {:.1} ms with {}: {ratio:.2} × (short texts)",
        medians[0],
        whole(count(usize::try_from(sizes.0)?)),
        medians[1],
        whole(count(usize::try_from(sizes.1)?)),
    );
    Ok(Row::new("growth", text, "≤ 1.5 ×", Verdict::of(ratio <= 1.5)).with("ratio", ratio))
}
