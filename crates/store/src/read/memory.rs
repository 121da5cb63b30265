//! How much of the database's answers may be in memory at one time.

/// What a reading may hold.
pub trait Memory: Send {
    /// Takes so many bytes more; false when they are not to be had.
    fn take(&mut self, bytes: usize) -> bool;
    /// Gives some back that were taken.
    fn give(&mut self, bytes: usize);
    /// How many more there are at most.
    fn left(&self) -> usize;
}

/// A number of bytes.
#[derive(Clone, Copy, Debug)]
pub struct ByteLimit(pub usize);

impl Memory for ByteLimit {
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or_default();
        left.is_some()
    }

    fn give(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes);
    }

    fn left(&self) -> usize {
        self.0
    }
}
