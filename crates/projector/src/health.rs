//! What the probes ask: does the consumer poll, is it in the group, does the database answer.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use recap_log::MissingRight;
use recap_schema_registry::SchemaRegistry;

/// A flush that takes longer waits for the database: each of its steps has a bound below this.
const FLUSH_MAX_AGE: Duration = Duration::from_secs(30);

/// An attempt to flush; over when this is dropped.
#[derive(Debug)]
pub(crate) struct FlushUnderWay<'h> {
    health: &'h Health,
    began: Instant,
}

impl FlushUnderWay<'_> {
    /// The attempt is over, and another begins.
    pub fn again(&mut self) {
        let now = Instant::now();
        let mut flushes = self.health.flushes();
        if let Some(began) = flushes.iter_mut().find(|began| **began == self.began) {
            *began = now;
        }
        drop(flushes);
        self.began = now;
    }
}

impl Drop for FlushUnderWay<'_> {
    fn drop(&mut self) {
        let mut flushes = self.health.flushes();
        if let Some(index) = flushes.iter().position(|began| *began == self.began) {
            flushes.swap_remove(index);
        }
    }
}

/// The state of a running projector; all of it may be read at any time.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    /// A consumer that has not polled for this long hangs: giving partitions up takes less.
    max_poll_interval: Duration,
    polled_ms: AtomicU64,
    running: AtomicBool,
    draining: AtomicBool,
    joined: AtomicBool,
    partitions: AtomicUsize,
    database: Mutex<Option<String>>,
    /// When the attempts to flush began that are under way.
    flushes: Mutex<Vec<Instant>>,
    dead_letters: Mutex<Option<String>>,
    /// The brokers refused something since the rights were last asked for.
    refused: AtomicBool,
    rights: Mutex<Vec<MissingRight>>,
    schema_registry: Option<SchemaRegistry>,
}

impl Health {
    pub(crate) fn new(max_poll_interval: Duration) -> Self {
        Self {
            started: Instant::now(),
            max_poll_interval,
            polled_ms: AtomicU64::new(0),
            running: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            joined: AtomicBool::new(false),
            partitions: AtomicUsize::new(0),
            database: Mutex::new(Some("not reached yet".to_owned())),
            flushes: Mutex::default(),
            dead_letters: Mutex::default(),
            refused: AtomicBool::new(false),
            rights: Mutex::default(),
            schema_registry: None,
        }
    }

    /// The same, with the schema registry that records may wait for.
    pub(crate) fn with_schema_registry(self, schema_registry: Option<SchemaRegistry>) -> Self {
        Self {
            schema_registry,
            ..self
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
    }

    /// The group was left, to be joined anew.
    pub(crate) fn begin_anew(&self) {
        self.draining.store(false, Ordering::Relaxed);
        self.joined.store(false, Ordering::Relaxed);
        self.partitions.store(0, Ordering::Relaxed);
    }

    pub(crate) fn stopping(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// `None` when the database answers, else why not.
    pub(crate) fn database(&self, trouble: Option<String>) {
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// An attempt to flush is under way until what this returns is dropped.
    pub(crate) fn flushing(&self) -> FlushUnderWay<'_> {
        let began = Instant::now();
        self.flushes().push(began);
        FlushUnderWay { health: self, began }
    }

    fn flushes(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.flushes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when dead letters are acknowledged, else why not: until then no offset behind them moves.
    pub(crate) fn dead_letters(&self, trouble: Option<String>) {
        *self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The brokers refused something; what exactly, they do not say there.
    pub(crate) fn refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether the rights are to be asked for: after a refusal, and for as long as some are missing.
    pub(crate) fn asks_for_rights(&self) -> bool {
        let refused = self.refused.swap(false, Ordering::Relaxed);
        refused || !self.rights.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What Kafka's access control does not allow of what is needed.
    pub(crate) fn missing_rights(&self, missing: Vec<MissingRight>) {
        *self.rights.lock().unwrap_or_else(PoisonError::into_inner) = missing;
    }

    /// Why the database does not answer, if it does not.
    pub(crate) fn database_trouble(&self) -> Option<String> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the process should be restarted, if it should: waiting for Kafka or PostgreSQL is no reason.
    #[must_use]
    pub fn not_alive(&self) -> Option<String> {
        let polled = Duration::from_millis(self.polled_ms.load(Ordering::Relaxed));
        let silent = self.started.elapsed().saturating_sub(polled);
        let hung = self.running.load(Ordering::Relaxed) && silent > self.max_poll_interval;
        hung.then(|| format!("the consumer has not polled for {} s", silent.as_secs()))
    }

    /// What keeps the projector from working, if anything.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        if self.draining.load(Ordering::Relaxed) {
            return Some("stopping".to_owned());
        }
        if let Some(trouble) = self.database_trouble() {
            return Some(format!("database: {trouble}"));
        }
        let oldest = self.flushes().iter().map(Instant::elapsed).max();
        if let Some(age) = oldest.filter(|age| *age > FLUSH_MAX_AGE) {
            return Some(format!("database: a flush has been under way for {} s", age.as_secs()));
        }
        if let Some(trouble) = self.schema_registry.as_ref().and_then(SchemaRegistry::trouble) {
            return Some(format!("the schema registry {trouble}"));
        }
        let dead_letters = self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &*dead_letters {
            return Some(format!("dead letters are not acknowledged: {trouble}"));
        }
        let rights = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        if !rights.is_empty() {
            let rights: Vec<String> = rights.iter().map(ToString::to_string).collect();
            return Some(format!("Kafka: {}", rights.join("; ")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_says_what_keeps_offsets_from_moving() {
        let health = Health::new(Duration::from_mins(1));
        assert_eq!(health.not_ready().as_deref(), Some("database: not reached yet"));
        health.database(None);
        assert_eq!(
            health.not_ready().as_deref(),
            Some("the consumer group has not been joined yet")
        );
        health.assigned(3);
        assert_eq!((health.not_ready(), health.partitions()), (None, 3));
        health.dead_letters(Some("not authorized".to_owned()));
        assert_eq!(
            health.not_ready().as_deref(),
            Some("dead letters are not acknowledged: not authorized")
        );
        health.dead_letters(None);
        health.missing_rights(vec![MissingRight::on_topic("READ", "t")]);
        assert_eq!(
            health.not_ready().as_deref(),
            Some("Kafka: READ on topic `t` is not allowed: grant it to recap's principal")
        );
        health.missing_rights(Vec::new());
        assert_eq!((health.not_ready(), health.not_alive()), (None, None));
        health.stopping();
        assert_eq!(health.not_ready().as_deref(), Some("stopping"));
    }
}
