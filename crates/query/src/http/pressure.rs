//! Whether somebody waits for memory that slow clients hold.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts those who wait. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Pressure(Arc<AtomicUsize>);

/// One who waits, until it is dropped.
pub(crate) struct Waiting(Pressure);

impl Pressure {
    /// Somebody waits.
    pub(crate) fn wait(&self) -> Waiting {
        self.0.fetch_add(1, Ordering::Relaxed);
        Waiting(self.clone())
    }

    /// Whether anybody waits.
    pub(crate) fn is_felt(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
