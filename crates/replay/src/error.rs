//! Why an operation stopped.

use recap_log::{LogError, Partition};
use recap_store::{DatabaseError, FlushError, GenerationError, GenerationId};
use tokio::task::JoinError;

use crate::archive::ArchiveError;

/// Why an operation stopped; the live generation is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Another process rebuilds.
    #[error("another rebuild is running on this database")]
    Running,
    /// An interrupted rebuild left a generation.
    #[error("generation {0} is half built: go on with `--resume`, or drop it with `--discard`")]
    Unfinished(GenerationId),
    /// A half-built generation was begun with other mappings than there are now.
    #[error("generation {0} was begun with other mappings (RECAP_MAPPINGS): drop it with `--discard` and begin anew")]
    MappingsChanged(GenerationId),
    /// Nothing is there for a worker to fill.
    #[error("no rebuild with `--workers` is under way on this database: begin one, then join it")]
    NothingToJoin,
    /// A worker makes other events of the log than the others do.
    #[error(
        "generation {0} is filled with other mappings than this worker's (RECAP_MAPPINGS): they have to be the same"
    )]
    OtherMappings(GenerationId),
    /// A worker lacks the archive that the others replay.
    #[error("generation {0} is filled from an archive: give this worker the same `--archive`")]
    NoArchive(GenerationId),
    /// Another worker has taken the share.
    #[error("another worker has taken this share")]
    ShareLost,
    /// Nobody fills what is left.
    #[error(
        "every worker that was started here has ended, none on another machine is at work, and {left} of {all} shares are not filled: \
         see above what they said, and go on with `--resume`"
    )]
    WorkersGone {
        /// Shares that are not filled.
        left: u32,
        /// Shares.
        all: u32,
    },
    /// The processes of the workers.
    #[error("a worker cannot be started: {0}")]
    Worker(#[source] std::io::Error),
    /// There is nothing to go on with.
    #[error("no interrupted rebuild is there to go on with")]
    NothingToResume,
    /// There is nothing to roll back to.
    #[error("no earlier generation is kept to roll back to")]
    NothingKept,
    /// Records are gone from the log and nothing replaces them.
    #[error("the log no longer holds everything:\n{}", uncovered_list(.0))]
    LogIncomplete(Vec<Uncovered>),
    /// Topics keep the newest record of a key, and the newest need not be the greatest.
    #[error("Kafka compacts the log, so it may no longer hold everything:\n{}", compacted_list(.0))]
    Compacted(Vec<String>),
    /// The live group does not follow.
    #[error(
        "consumer group `{group}` made no progress for {seconds} s and is {missing} offsets behind: \
         the comparison needs the live projector running"
    )]
    LiveStalled {
        /// The live group.
        group: String,
        /// How long it was waited for.
        seconds: u64,
        /// What it has not read.
        missing: u64,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The archive could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A generation could not be made, switched or dropped.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// A batch could not be written.
    #[error("cannot write a batch: {0}")]
    Flush(#[from] FlushError),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] DatabaseError),
    /// The reading thread was lost to an earlier failure.
    #[error("the rebuild was interrupted before")]
    Interrupted,
    /// A background task died.
    #[error("a rebuild task ended early: {0}")]
    Task(#[from] JoinError),
}

/// A hole: offsets that neither the log nor an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    /// Where.
    pub partition: Partition,
    /// The first missing offset.
    pub from: i64,
    /// The first offset that is there again.
    pub to: i64,
    /// Whether they went with their topic, which was deleted and created anew; else retention or compaction removed them.
    pub with_topic: bool,
}

fn uncovered_list(uncovered: &[Uncovered]) -> String {
    let holes = uncovered.iter().map(|hole| {
        let what = if hole.with_topic {
            "went with the topic, which was deleted and created anew"
        } else {
            "were removed by retention or compaction"
        };
        format!(
            "  {}: offsets {} to {} {what}\n",
            hole.partition,
            hole.from,
            hole.to - 1
        )
    });
    holes.collect::<String>()
        + "replay them from an archive (`--archive DIR`), or rebuild from the live rows (`--onto-current`)"
}

fn compacted_list(topics: &[String]) -> String {
    let topics = topics
        .iter()
        .map(|topic| format!("  {topic}: its cleanup.policy compacts\n"));
    topics.collect::<String>()
        + "set it to `delete`; then replay from an archive that was written before (`--archive DIR`), or start from the live \
           rows (`--onto-current`)"
}
