//! What the probes ask: does the consumer poll, is it in the group, does the database answer.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::coverage::Turn;

/// The state of a running projector; all of it may be read at any time.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    /// A consumer that has not polled for this long hangs: giving partitions up takes less.
    patience: Duration,
    polled_ms: AtomicU64,
    running: AtomicBool,
    draining: AtomicBool,
    joined: AtomicBool,
    partitions: AtomicUsize,
    /// Partitions were assigned since they were last paused.
    pub(crate) reassigned: AtomicBool,
    database: Mutex<Option<String>>,
    join_again: Mutex<Option<Turn>>,
}

impl Health {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            started: Instant::now(),
            patience,
            polled_ms: AtomicU64::new(0),
            running: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            joined: AtomicBool::new(false),
            partitions: AtomicUsize::new(0),
            reassigned: AtomicBool::new(false),
            database: Mutex::new(Some("not reached yet".to_owned())),
            join_again: Mutex::new(None),
        }
    }

    pub(crate) fn polled(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.polled_ms.store(elapsed, Ordering::Relaxed);
        self.running.store(true, Ordering::Relaxed);
    }

    pub(crate) fn assigned(&self, partitions: usize) {
        self.partitions.store(partitions, Ordering::Relaxed);
        self.joined.store(true, Ordering::Relaxed);
        self.reassigned.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stopping(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Partitions go unread: this member, if it is its turn, is to leave the group and join again.
    pub(crate) fn call_to_join_again(&self, turn: Turn) {
        *self.join_again.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    /// The call, once.
    pub(crate) fn called_to_join_again(&self) -> Option<Turn> {
        self.join_again.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// `None` when the database answers, else why not.
    pub(crate) fn database(&self, trouble: Option<String>) {
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Why the process should be restarted, if it should: waiting for Kafka or PostgreSQL is no reason.
    #[must_use]
    pub fn not_alive(&self) -> Option<String> {
        let polled = Duration::from_millis(self.polled_ms.load(Ordering::Relaxed));
        let silent = self.started.elapsed().saturating_sub(polled);
        let hung = self.running.load(Ordering::Relaxed) && silent > self.patience;
        hung.then(|| format!("the consumer has not polled for {} s", silent.as_secs()))
    }

    /// What keeps the projector from working, if anything.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        if self.draining.load(Ordering::Relaxed) {
            return Some("stopping".to_owned());
        }
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &*database {
            return Some(format!("database: {trouble}"));
        }
        if !self.joined.load(Ordering::Relaxed) {
            return Some("the consumer group has not been joined yet".to_owned());
        }
        self.not_alive()
    }

    /// Partitions assigned to this projector now.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.partitions.load(Ordering::Relaxed)
    }
}
