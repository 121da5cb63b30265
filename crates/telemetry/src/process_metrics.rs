//! Memory and CPU of the process, from `/proc` where there is one.

use opentelemetry::metrics::Meter;

use crate::{instruments::observe_sum, names::metric};

/// Linux counts `/proc` times in hundredths of a second on every architecture recap is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Exports the resident set and the CPU time of this process.
pub fn observe_process(meter: &Meter) {
    observe_sum(meter, &metric::PROCESS_MEMORY, |sum| {
        if let Some(bytes) = resident_bytes() {
            sum.observe(bytes, &[]);
        }
    });
    let _registered = meter
        .f64_observable_counter(metric::PROCESS_CPU.name)
        .with_unit(metric::PROCESS_CPU.unit)
        .with_description(metric::PROCESS_CPU.description)
        .with_callback(|counter| {
            if let Some(seconds) = cpu_seconds() {
                counter.observe(seconds, &[]);
            }
        })
        .build();
}

fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The command name, in parentheses, may hold spaces; `utime` and `stime` are the 12th and 13th fields after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}
