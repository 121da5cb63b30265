//! How a backfill gets on: a bar on a terminal, lines otherwise.

use std::{
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use recap_clerk::Observer;

const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows memberships.
pub struct Progress {
    bar: Option<ProgressBar>,
    last_line: Mutex<Option<Instant>>,
}

impl Progress {
    /// Chooses by whether standard error is a terminal.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{msg:9} {wide_bar} {human_pos}/{human_len} memberships, {per_sec}, {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style).with_message("reading")
        });
        Self {
            bar,
            last_line: Mutex::new(None),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn resumed(&self, memberships: u64) {
        eprintln!("going on after {memberships} memberships");
        if let Some(bar) = &self.bar {
            bar.reset_eta();
        }
    }

    fn published(&self, memberships: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(memberships);
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if memberships == of || last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            *last = Some(Instant::now());
            eprintln!("reading: {memberships} of {of} memberships published");
        }
    }

    fn comparing(&self, repaired: u64) {
        match &self.bar {
            Some(bar) => bar.set_message("comparing"),
            None => eprintln!("comparing the topic with Clerk: {repaired} users repaired so far"),
        }
    }
}
