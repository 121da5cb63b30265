//! How a replay gets on, for whoever watches.

/// What an operation is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Folding the archive and the log.
    Filling,
    /// Making the secondary indexes, and comparing with the live generation meanwhile.
    Indexing,
    /// Comparing still.
    Verifying,
    /// Making the new generation live.
    Switching,
    /// Reading past the switch.
    FinishingSwitch,
}

/// Sees how an operation gets on; called often, must not block.
pub trait Observer: Send + Sync {
    /// A phase begins; `records` is how many it will read, where that is known.
    fn phase(&self, phase: Phase, records: Option<u64>);
    /// Records read since the last call, and those of them that were folded.
    fn read(&self, records: u64, events: u64);
}
