//! Why bytes are not a state.

/// Why bytes are not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Written by a newer release.
    #[error("the state has format version {version}, this release reads up to {newest}")]
    Newer {
        /// The version found.
        version: u8,
        /// The newest that this release reads.
        newest: u8,
    },
    /// Not what any release writes.
    #[error("not a state: {0}")]
    Corrupt(&'static str),
}
