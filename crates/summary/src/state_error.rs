//! Why bytes are not a state.

/// The version written, and the newest that is read.
pub(crate) const VERSION: u8 = 1;

/// Why bytes are not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Written by a newer release.
    #[error("the state has format version {version}, this release reads up to {VERSION}")]
    Newer {
        /// The version found.
        version: u8,
    },
    /// Not what any release writes.
    #[error("not a state: {0}")]
    Corrupt(&'static str),
}
