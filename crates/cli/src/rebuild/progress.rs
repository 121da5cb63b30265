//! How a rebuild gets on: a bar on a terminal, lines otherwise.

use std::{
    io::IsTerminal as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use recap_replay::{Observer, Phase};
use recap_telemetry::{RebuildMetrics, RebuildPhase};

const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows phases and records.
pub struct Progress {
    metrics: RebuildMetrics,
    bar: Option<ProgressBar>,
    records: AtomicU64,
    events: AtomicU64,
    started: Instant,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Chooses by whether standard error is a terminal.
    pub fn new(metrics: RebuildMetrics) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{msg:9} {wide_bar} {human_pos}/{human_len} records, {per_sec}, {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Self {
            metrics,
            bar,
            records: AtomicU64::new(0),
            events: AtomicU64::new(0),
            started: Instant::now(),
            last_line: Mutex::new(Instant::now()),
        }
    }

    /// Takes the bar away and says what was done.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.line("read");
    }

    /// Events folded so far.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    fn line(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        let records = self.records.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let rate = records as f64 / seconds.max(0.001);
        eprintln!(
            "{what}: {records} records, {} events, {seconds:.1} s, {rate:.0} records/s",
            self.events.load(Ordering::Relaxed)
        );
    }
}

impl Observer for Progress {
    fn phase(&self, phase: Phase, records: Option<u64>) {
        self.metrics.enter(match phase {
            Phase::Filling | Phase::Indexing => RebuildPhase::Fill,
            Phase::Verifying => RebuildPhase::Verify,
            Phase::Switching => RebuildPhase::Switch,
            Phase::FinishingSwitch => RebuildPhase::Follow,
        });
        if let Some(records) = records {
            self.metrics.begin(records);
        }
        let name = match phase {
            Phase::Filling => "filling",
            Phase::Indexing => "indexing",
            Phase::Verifying => "verifying",
            Phase::Switching => "switching",
            Phase::FinishingSwitch => "finishing",
        };
        match &self.bar {
            Some(bar) => {
                bar.set_message(name);
                if let Some(records) = records {
                    bar.set_length(bar.position() + records);
                }
            }
            None => self.line(name),
        }
    }

    fn read(&self, records: u64, events: u64) {
        self.metrics.advanced(records, events);
        self.records.fetch_add(records, Ordering::Relaxed);
        self.events.fetch_add(events, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(records);
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            self.line("reading");
        }
    }
}
