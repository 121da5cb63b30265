//! One line of `recap-bench live`.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use crate::{
    samples::Samples,
    tables::{Cost, Table, Tables},
};

/// What a minute was like, and what the tables were at its end.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Minute {
    /// Since the traffic began.
    pub seconds: f64,
    pub events_per_second: f64,
    pub probes: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub projector_cores: f64,
    pub postgresql_cores: f64,
    pub projector_mib: f64,
    pub heap_only_share: f64,
    pub wal_bytes_per_event: f64,
    /// Of all tables, as the rest.
    pub live_rows: i64,
    pub dead_rows: i64,
    pub autovacuums: i64,
    pub heap_bytes: i64,
    pub index_bytes: i64,
    pub tables: BTreeMap<String, Table>,
}

impl Minute {
    /// Above the lines that [`fmt::Display`] writes.
    pub const HEADER: &'static str = "      s  events/s  p50 ms  p99 ms  max ms  cores          MiB  heap-only  WAL B/event  live rows  dead rows  vacuums  heap MiB  indexes MiB";

    pub fn new(
        since: Duration,
        events_per_second: f64,
        latency: &Samples,
        (projector_cores, postgresql_cores): (f64, f64),
        projector_mib: f64,
        (cost, tables): (Cost, Tables),
    ) -> Self {
        Self {
            seconds: since.as_secs_f64(),
            events_per_second,
            probes: latency.len(),
            p50_ms: latency.median(),
            p99_ms: latency.percentile(99),
            max_ms: latency.percentile(100),
            projector_cores,
            postgresql_cores,
            projector_mib,
            heap_only_share: cost.heap_only,
            wal_bytes_per_event: cost.wal_per_event,
            live_rows: tables.sum(|table| table.live_rows),
            dead_rows: tables.sum(|table| table.dead_rows),
            autovacuums: tables.sum(|table| table.autovacuums),
            heap_bytes: tables.sum(|table| table.heap_bytes),
            index_bytes: tables.sum(|table| table.index_bytes),
            tables: tables.tables,
        }
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:7.0}  {:8.0}  {:6.0}  {:6.0}  {:6.0}  {:4.2} + {:4.2}  {:5.0}  {:8.1}%  {:11.0}  {:9}  {:9}  {:7}  {:8}  {:11}",
            self.seconds,
            self.events_per_second,
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.projector_cores,
            self.postgresql_cores,
            self.projector_mib,
            self.heap_only_share * 100.0,
            self.wal_bytes_per_event,
            self.live_rows,
            self.dead_rows,
            self.autovacuums,
            self.heap_bytes >> 20,
            self.index_bytes >> 20,
        )
    }
}
