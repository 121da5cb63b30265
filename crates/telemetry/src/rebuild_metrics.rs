//! A rebuild's instruments.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::{
    instruments::{counter, observe_f64, observe_i64},
    names::{attribute as a, metric},
};

/// Where a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RebuildPhase {
    /// None runs.
    Idle,
    /// Folding the log into the new generation.
    Fill,
    /// Comparing the generations.
    Verify,
    /// Making the new one live.
    Switch,
    /// Merging on past the switch.
    Follow,
}

const PHASES: [(RebuildPhase, &str); 5] = [
    (RebuildPhase::Idle, "idle"),
    (RebuildPhase::Fill, "fill"),
    (RebuildPhase::Verify, "verify"),
    (RebuildPhase::Switch, "switch"),
    (RebuildPhase::Follow, "follow"),
];

/// A rebuild's instruments; clones share them.
#[derive(Debug, Clone)]
pub struct RebuildMetrics {
    phase: Arc<AtomicU8>,
    done: Arc<AtomicU64>,
    whole: Arc<AtomicU64>,
    events: Counter<u64>,
    verified: Counter<u64>,
    differences: Counter<u64>,
    switches: Counter<u64>,
}

impl RebuildMetrics {
    /// Makes the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let phase = Arc::new(AtomicU8::new(RebuildPhase::Idle as u8));
        let done = Arc::new(AtomicU64::new(0));
        let whole = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&phase);
        observe_i64(meter, &metric::REBUILD_PHASE, move |gauge| {
            let now = read.load(Ordering::Relaxed);
            for (phase, name) in PHASES {
                gauge.observe(i64::from(phase as u8 == now), &[KeyValue::new(a::REBUILD_PHASE, name)]);
            }
        });
        let read = (Arc::clone(&done), Arc::clone(&whole));
        observe_f64(meter, &metric::REBUILD_PROGRESS, move |gauge| {
            let (done, whole) = (read.0.load(Ordering::Relaxed), read.1.load(Ordering::Relaxed));
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
            let share = if whole == 0 {
                0.0
            } else {
                (done as f64 / whole as f64).min(1.0)
            };
            gauge.observe(share, &[]);
        });
        Self {
            phase,
            done,
            whole,
            events: counter(meter, &metric::REBUILD_EVENTS),
            verified: counter(meter, &metric::REBUILD_VERIFIED),
            differences: counter(meter, &metric::REBUILD_DIFFERENCES),
            switches: counter(meter, &metric::REBUILD_SWITCHES),
        }
    }

    /// The rebuild enters a phase.
    pub fn enter(&self, phase: RebuildPhase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The records between start and end offsets; sets progress back to nothing.
    pub fn begin(&self, records: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.whole.store(records, Ordering::Relaxed);
    }

    /// So many more records are in the new generation, of which `events` were folded.
    pub fn advanced(&self, records: u64, events: u64) {
        self.done.fetch_add(records, Ordering::Relaxed);
        self.events.add(events, &[]);
    }

    /// Conversations were compared, and so many differed.
    pub fn verified(&self, conversations: u64, differences: u64) {
        self.verified.add(conversations, &[]);
        self.differences.add(differences, &[]);
    }

    /// A switch was tried.
    pub fn switched(&self, succeeded: bool) {
        self.switches.add(
            1,
            &[KeyValue::new(
                a::OUTCOME,
                if succeeded { "succeeded" } else { "failed" },
            )],
        );
    }
}
