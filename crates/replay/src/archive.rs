//! The archive: the topics as files, for the time when Kafka no longer holds them.
//!
//! One object a segment, `<topic>/<partition>/<first offset>.<topic id>.ndjson.zst`: zstd-compressed NDJSON, one
//! record a line, key and value as text or, where they are not UTF-8, as base64. `manifest.json` lists
//! every segment with its offsets, topic id, size and BLAKE3 checksum; a segment counts once the manifest names
//! it, so an interrupted run leaves nothing half-done and the next one goes on behind the last segment. A topic that was
//! deleted and created anew is archived from its beginning, beside what there is of the one before.

mod manifest;
mod read;
mod record;
mod write;

pub use manifest::{MANIFEST, Manifest, Segment};
use object_store::path::Path;
pub use read::ArchiveReader;
pub use record::{ArchivedRecord, Blob};
pub use write::{ArchiveOptions, ArchiveReport, write_archive};

/// Why the archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The object store refused.
    #[error("cannot {action} {path}: {source}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The object.
        path: String,
        /// The store's word.
        source: object_store::Error,
    },
    /// An object is not what the manifest says, or not what this release can read.
    #[error("{path} is damaged: {detail}")]
    Damaged {
        /// The object.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A topic was deleted and created anew while it was archived.
    #[error("{0} was deleted and created anew while it was archived; run `recap archive` again")]
    Recreated(String),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] recap_log::LogError),
    /// A background task died.
    #[error("an archive task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl ArchiveError {
    fn store(action: &'static str, path: &Path) -> impl FnOnce(object_store::Error) -> Self {
        let path = path.to_string();
        move |source| Self::Store { action, path, source }
    }

    fn damaged(path: &(impl ToString + ?Sized), detail: &(impl ToString + ?Sized)) -> Self {
        Self::Damaged {
            path: path.to_string(),
            detail: detail.to_string(),
        }
    }
}
