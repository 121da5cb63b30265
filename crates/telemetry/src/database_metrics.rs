//! Database operations and connection pools, the same in both services.

use crate::instruments::{counter, histogram, observe_sum};
use crate::names::{attribute as a, metric};
use crate::observed::lock;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A connection pool at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct PoolState {
    /// Connections in use.
    pub used: u32,
    /// Connections open and idle.
    pub idle: u32,
    /// Connections it may open.
    pub max: u32,
}

type Pools = Arc<Mutex<Vec<(&'static str, Box<dyn Fn() -> PoolState + Send>)>>>;

/// Instruments for a client of PostgreSQL.
#[derive(Clone)]
pub struct DatabaseMetrics {
    duration: Histogram<f64>,
    wait: Histogram<f64>,
    timeouts: Counter<u64>,
    pools: Pools,
}

impl std::fmt::Debug for DatabaseMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseMetrics").finish_non_exhaustive()
    }
}

impl DatabaseMetrics {
    /// Makes the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let pools: Pools = Arc::default();
        let read = Arc::clone(&pools);
        observe_sum(meter, &metric::POOL_CONNECTIONS, move |sum| {
            for (pool, state) in lock(&read).iter() {
                let state = state();
                for (name, count) in [("used", state.used), ("idle", state.idle)] {
                    sum.observe(
                        i64::from(count),
                        &[
                            KeyValue::new(a::DB_CLIENT_CONNECTION_POOL_NAME, *pool),
                            KeyValue::new(a::DB_CLIENT_CONNECTION_STATE, name),
                        ],
                    );
                }
            }
        });
        let read = Arc::clone(&pools);
        observe_sum(meter, &metric::POOL_MAX, move |sum| {
            for (pool, state) in lock(&read).iter() {
                sum.observe(
                    i64::from(state().max),
                    &[KeyValue::new(a::DB_CLIENT_CONNECTION_POOL_NAME, *pool)],
                );
            }
        });
        Self {
            duration: histogram(meter, &metric::DB_DURATION),
            wait: histogram(meter, &metric::POOL_WAIT),
            timeouts: counter(meter, &metric::POOL_TIMEOUTS),
            pools,
        }
    }

    /// Has `read` asked for the pool's state at every export. `pool` names it: `flush`, `pages`, `streams`.
    pub fn observe_pool(&self, pool: &'static str, read: impl Fn() -> PoolState + Send + 'static) {
        lock(&self.pools).push((pool, Box::new(read)));
    }

    /// One operation took `duration`; `error` is a SQLSTATE class or `io`, `timeout`, … and never a message.
    pub fn operation(&self, name: &'static str, duration: Duration, error: Option<&'static str>) {
        let attributes = [
            KeyValue::new(a::DB_SYSTEM_NAME, "postgresql"),
            KeyValue::new(a::DB_OPERATION_NAME, name),
            KeyValue::new(a::ERROR_TYPE, error.unwrap_or_default()),
        ];
        let used = if error.is_some() { 3 } else { 2 };
        self.duration
            .record(duration.as_secs_f64(), &attributes[..used]);
    }

    /// A connection was got after `wait`.
    pub fn acquired(&self, pool: &'static str, wait: Duration) {
        self.wait.record(
            wait.as_secs_f64(),
            &[KeyValue::new(a::DB_CLIENT_CONNECTION_POOL_NAME, pool)],
        );
    }

    /// No connection was got in time.
    pub fn acquire_timed_out(&self, pool: &'static str) {
        self.timeouts
            .add(1, &[KeyValue::new(a::DB_CLIENT_CONNECTION_POOL_NAME, pool)]);
    }
}
