//! Rows of live traffic, and of the memory that a projector takes.

use super::{
    super::{
        backlog::{self, prepare},
        freshness,
        report::{Row, Verdict, whole},
        stack::float,
        stored::{Contents, Stored},
        traffic::{WARM_UP, live, publish},
    },
    Bench, cost_row,
};

impl Bench<'_> {
    /// At a quarter of what the projector can take, and at a rate that most platforms never reach.
    pub(super) async fn freshness(&mut self, backlog: f64) -> anyhow::Result<()> {
        let rows = [
            (
                "freshness",
                "cost, live",
                backlog / 4.0,
                (100.0, 500.0),
                "p50 ≤ 100 ms, p99 ≤ 500 ms",
            ),
            (
                "freshness at 5,000/s",
                "cost at 5,000/s",
                5_000.0,
                (10.0, 60.0),
                "p50 ≤ 10 ms, p99 ≤ 60 ms",
            ),
        ];
        self.publish_live(WARM_UP).await?;
        for (name, cost, rate, (most, slowest), goal) in rows {
            let (live, published) =
                freshness::run(&self.broker, &self.databases, self.live, rate, self.plan.freshness).await?;
            self.live += published;
            self.published += published;
            let (median, slow) = (live.latency.median(), live.latency.percentile(99));
            let text = format!(
                "p50 {median:.0} ms, p99 {slow:.0} ms of {} probes at {} events/s",
                live.latency.len(),
                whole(rate),
            );
            let met = Verdict::of(median <= most && slow <= slowest);
            let row = Row::new(name, text, goal, met);
            self.report.add(row.with("p50_ms", median).with("p99_ms", slow));
            let (projector, postgresql) = (live.projector_cores, live.postgresql_cores);
            let text = format!("{projector:.2} + {postgresql:.2} cores at {} events/s", whole(rate));
            let (goal, met) = if name == "freshness" {
                ("reported", Verdict::Reported)
            } else {
                ("≤ 0.25 + 0.25", Verdict::of(projector <= 0.25 && postgresql <= 0.25))
            };
            let row = Row::new("live cost", text, goal, met);
            self.report.add(
                row.with("projector_cores", projector)
                    .with("postgresql_cores", postgresql),
            );
            self.report.add(cost_row(cost, &live.cost));
        }
        Ok(())
    }

    /// More of live traffic, at once.
    async fn publish_live(&mut self, events: u64) -> anyhow::Result<()> {
        publish(self.broker.cluster(), live(), self.live..self.live + events).await?;
        self.live += events;
        self.published += events;
        Ok(())
    }

    pub(super) async fn growth(&mut self) -> anyhow::Result<()> {
        let (few, many) = self.plan.stored;
        let stored = |conversations| {
            Some(Stored {
                conversations,
                users: 1,
                contents: Contents::Rows,
            })
        };
        let small = self.backlog_run(stored(few), None).await?;
        eprintln!("  filling in {} conversations", whole(float(many.unsigned_abs())));
        let large = self.backlog_run(stored(many), None).await?;
        let ratio = large.events_per_second / small.events_per_second;
        let stored = |n: i64| whole(float(n.unsigned_abs()));
        let text = format!(
            "{} events/s with {} stored, {} with {}: {ratio:.2}",
            whole(small.events_per_second),
            stored(few),
            whole(large.events_per_second),
            stored(many),
        );
        let row = Row::new("growth", text, "≥ 0.85", Verdict::of(ratio >= 0.85)).with("ratio", ratio);
        self.report.add(row);
        let (before, after) = (small.memory.peak, large.memory.peak);
        let text = format!(
            "{before:.0} MiB with {} stored, {after:.0} MiB with {}",
            stored(few),
            stored(many)
        );
        let met = before.max(after) <= 512.0 && after <= before * 1.1 + 16.0;
        let row = Row::new("memory", text, "the same, ≤ 512 MiB", Verdict::of(met))
            .with("few_stored_mib", before)
            .with("many_stored_mib", after);
        self.report.add(row);
        Ok(())
    }

    /// The resident set while a log of three times as many events is read: the longest that is measured, so the most texts and payloads.
    pub(super) async fn memory_payloads(&mut self) -> anyhow::Result<()> {
        let events = self.published.max(self.plan.events * 3);
        self.publish_live(events - self.published).await?;
        self.groups += 1;
        let group = format!("bench-{}", self.groups);
        let database = prepare(&self.databases, None).await?;
        let run = backlog::run(&self.broker, &database, &group, events, None).await?;
        self.databases.drop(database).await?;
        let peak = run.memory.peak;
        let text = format!(
            "{peak:.0} MiB at most on {} events with payloads, {} events/s",
            whole(float(events)),
            whole(run.events_per_second)
        );
        let row = Row::new("memory, payloads", text, "≤ 512 MiB", Verdict::of(peak <= 512.0))
            .with("peak_mib", peak)
            .with("events", float(events))
            .with("events_per_second", run.events_per_second);
        self.report.add(row);
        Ok(())
    }
}
