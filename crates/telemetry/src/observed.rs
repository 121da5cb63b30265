//! Values kept by recap and read when metrics are exported, so that a series ends with the thing it measures.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use opentelemetry::{KeyValue, metrics::Meter};

use crate::{
    instruments::{observe_f64, observe_i64},
    names::{
        attribute::{MESSAGING_DESTINATION_NAME, MESSAGING_DESTINATION_PARTITION_ID},
        metric::{self, Metric},
    },
};

/// A lock that a panic elsewhere does not take away: the values under it are whole after every statement.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that one place sets, or that several places hold shares of; its sum is exported.
#[derive(Debug, Clone)]
pub struct Level(Arc<AtomicI64>);

impl Level {
    pub(crate) fn new(meter: &Meter, metric: &Metric) -> Self {
        let value = Arc::new(AtomicI64::new(0));
        let read = Arc::clone(&value);
        observe_i64(meter, metric, move |gauge| {
            gauge.observe(read.load(Ordering::Relaxed), &[]);
        });
        Self(value)
    }

    /// Sets the level, for values that one place knows whole.
    pub fn set(&self, value: usize) {
        self.0.store(saturated(value), Ordering::Relaxed);
    }

    /// A share of the level, 0 at first.
    #[must_use]
    pub fn share(&self) -> LevelShare {
        LevelShare {
            level: self.clone(),
            value: 0,
        }
    }

    /// The level now.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One holder's share of a [`Level`]; taken off it when dropped.
#[derive(Debug)]
pub struct LevelShare {
    level: Level,
    value: i64,
}

impl LevelShare {
    /// Sets this share, and moves the level by the difference.
    pub fn set(&mut self, value: usize) {
        let value = saturated(value);
        let before = std::mem::replace(&mut self.value, value);
        self.level.0.fetch_add(value - before, Ordering::Relaxed);
    }
}

impl Drop for LevelShare {
    fn drop(&mut self) {
        self.set(0);
    }
}

fn saturated(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How far behind one partition is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PartitionLag {
    /// Records between the committed offset and the end.
    pub records: i64,
    /// Seconds since the oldest uncommitted record was produced, 0 when there is none.
    pub seconds: f64,
    /// The committed offset.
    pub committed_offset: i64,
}

type Lags = HashMap<(Arc<str>, i32), PartitionLag>;

/// The lag of every assigned partition. A revoked partition's series ends.
#[derive(Debug, Clone)]
pub struct PartitionLags(Arc<Mutex<Lags>>);

impl PartitionLags {
    pub(crate) fn new(meter: &Meter) -> Self {
        let lags: Arc<Mutex<Lags>> = Arc::default();
        let read = Arc::clone(&lags);
        observe_i64(meter, &metric::LAG_RECORDS, move |gauge| {
            for (partition, lag) in lock(&read).iter() {
                gauge.observe(lag.records, &labels(partition));
            }
        });
        let read = Arc::clone(&lags);
        observe_f64(meter, &metric::LAG_TIME, move |gauge| {
            for (partition, lag) in lock(&read).iter() {
                gauge.observe(lag.seconds, &labels(partition));
            }
        });
        let read = Arc::clone(&lags);
        observe_i64(meter, &metric::COMMITTED_OFFSET, move |gauge| {
            for (partition, lag) in lock(&read).iter() {
                gauge.observe(lag.committed_offset, &labels(partition));
            }
        });
        let read = Arc::clone(&lags);
        observe_i64(meter, &metric::ASSIGNED, move |gauge| {
            gauge.observe(i64::try_from(lock(&read).len()).unwrap_or(i64::MAX), &[]);
        });
        Self(lags)
    }

    /// Sets one partition's lag.
    pub fn set(&self, topic: &Arc<str>, partition: i32, lag: PartitionLag) {
        lock(&self.0).insert((Arc::clone(topic), partition), lag);
    }

    /// Ends one partition's series, when it is revoked.
    pub fn remove(&self, topic: &Arc<str>, partition: i32) {
        lock(&self.0).remove(&(Arc::clone(topic), partition));
    }

    /// Ends every series, when all partitions are lost.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }
}

/// Topics that should exist and do not. The series of one that was created ends.
#[derive(Debug, Clone)]
pub struct MissingTopics(Arc<Mutex<BTreeSet<Arc<str>>>>);

impl MissingTopics {
    pub(crate) fn new(meter: &Meter) -> Self {
        let topics: Arc<Mutex<BTreeSet<Arc<str>>>> = Arc::default();
        let read = Arc::clone(&topics);
        observe_i64(meter, &metric::MISSING_TOPICS, move |gauge| {
            for topic in lock(&read).iter() {
                let topic = KeyValue::new(MESSAGING_DESTINATION_NAME, Arc::clone(topic));
                gauge.observe(1, &[topic]);
            }
        });
        Self(topics)
    }

    /// Sets all of them.
    pub fn set(&self, topics: BTreeSet<Arc<str>>) {
        *lock(&self.0) = topics;
    }
}

fn labels((topic, partition): &(Arc<str>, i32)) -> [KeyValue; 2] {
    [
        KeyValue::new(MESSAGING_DESTINATION_NAME, Arc::clone(topic)),
        KeyValue::new(MESSAGING_DESTINATION_PARTITION_ID, partition.to_string()),
    ]
}
