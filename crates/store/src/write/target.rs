//! Where a flush goes, and what it did.

use crate::{GenerationId, generation::GENERATION_LOCK, placement::Placement};

/// Where a batch goes, and what is written of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// What changes, into this generation, which must be live.
    Live(GenerationId),
    /// Every row and payload of the batch, changed or not, into this generation, which must be live.
    RewriteLive(GenerationId),
    /// What changes, into a generation that is being built.
    Building(GenerationId),
    /// Conversations that a generation being built has no row of: copied, without reading what is there. When it has a row all
    /// the same, the batch is [refused](crate::FlushError::Refused), and [`Self::Building`] is the way.
    ///
    /// The commit does not wait for the disk: what is committed after it and does wait, the offsets, is behind it in the write-ahead log.
    NewInBuilding(GenerationId),
}

impl Target {
    pub(super) const fn generation(self) -> GenerationId {
        match self {
            Self::Live(generation)
            | Self::RewriteLive(generation)
            | Self::Building(generation)
            | Self::NewInBuilding(generation) => generation,
        }
    }

    pub(super) const fn is_live(self) -> bool {
        matches!(self, Self::Live(_) | Self::RewriteLive(_))
    }

    pub(super) const fn rewrites(self) -> bool {
        matches!(self, Self::RewriteLive(_))
    }

    pub(super) const fn copies(self) -> bool {
        matches!(self, Self::NewInBuilding(_))
    }

    /// What traces call it.
    pub(super) const fn operation(self) -> &'static str {
        match self {
            Self::Live(_) => "flush",
            Self::RewriteLive(_) => "rewrite",
            Self::Building(_) => "flush_building",
            Self::NewInBuilding(_) => "copy_building",
        }
    }

    /// Begins the transaction, with the generation lock held shared.
    pub(super) fn begin(self, placement: Placement) -> String {
        // Of a cluster each node has a write-ahead log of its own.
        let durability = if self.copies() && placement == Placement::Server {
            "SET LOCAL synchronous_commit = off; "
        } else {
            ""
        };
        format!("BEGIN; {durability}SELECT pg_advisory_xact_lock_shared({GENERATION_LOCK})")
    }
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Conversation rows written.
    pub written: u64,
    /// Conversations that needed no write: the row knew everything.
    pub unchanged: u64,
    /// Stored states read before writing.
    pub loaded: u64,
    /// Rows that another writer had changed meanwhile, and were merged.
    pub conflicts: u64,
    /// Tool call and feedback rows written.
    pub payloads: u64,
    /// Started tool calls that took the place of another message's: ids that their producer used again.
    pub reused_ids: u64,
    /// User and agent profiles written.
    pub profiles: u64,
}
