//! Connection pools, the same in both services. Durations of operations come from their spans (`database_spans`).

use std::sync::{Arc, Mutex};

use opentelemetry::{KeyValue, metrics::Meter};

use crate::{
    instruments::observe_sum,
    names::{attribute as a, metric},
    observed::lock,
};

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

/// The pools of a client of PostgreSQL.
#[derive(Clone)]
pub struct DatabaseMetrics {
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
        Self { pools }
    }

    /// Has `read` asked for the pool's state at every export. `pool` names it: `flush`, `pages`, `streams`.
    pub fn observe_pool(&self, pool: &'static str, read: impl Fn() -> PoolState + Send + 'static) {
        lock(&self.pools).push((pool, Box::new(read)));
    }
}
