//! What is kept of records once they are folded: where they are in the log, for a folded event cannot be unfolded.

use std::collections::{BTreeMap, HashSet};

use crate::{
    books::durable_offsets::ChunkId,
    intake::chunk::{Chunk, LogPosition},
};

/// Offsets without records of this worker that are read over rather than sought past.
const READ_OVER: i64 = 10_000;

/// Offsets of one partition, from the first record of a chunk to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub first: i64,
    pub last: i64,
}

/// A chunk that was folded, and is not durable yet.
#[derive(Debug)]
pub(crate) struct FoldedChunk {
    pub id: ChunkId,
    /// What its records took.
    pub bytes: usize,
    /// The least timestamp of its records in Unix milliseconds.
    pub oldest: Option<i64>,
    spans: Vec<((usize, i32), Span)>,
}

impl From<&Chunk> for FoldedChunk {
    fn from(chunk: &Chunk) -> Self {
        let mut spans: Vec<((usize, i32), Span)> = Vec::new();
        for record in &chunk.records {
            let (partition, offset) = ((record.topic, record.partition), record.offset);
            match spans.iter_mut().rev().find(|(known, _)| *known == partition) {
                // Given away and back, a partition is read again from an earlier offset.
                Some((_, span)) => {
                    span.first = span.first.min(offset);
                    span.last = span.last.max(offset);
                }
                None => spans.push((
                    partition,
                    Span {
                        first: offset,
                        last: offset,
                    },
                )),
            }
        }
        Self {
            id: chunk.id,
            bytes: chunk.bytes(),
            oldest: chunk.oldest(),
            spans,
        }
    }
}

/// The records that a batch was folded from.
#[derive(Debug, Default)]
pub(crate) struct Provenance {
    pub chunks: Vec<FoldedChunk>,
    /// Events that the database refused and that went to the dead letters.
    pub refused: HashSet<LogPosition>,
}

impl Provenance {
    pub fn extend(&mut self, other: Self) {
        self.chunks.extend(other.chunks);
        self.refused.extend(other.refused);
    }

    /// The spans of each partition in their order, those near each other as one.
    pub fn spans(&self) -> BTreeMap<(usize, i32), Vec<Span>> {
        let mut all: BTreeMap<_, Vec<Span>> = BTreeMap::new();
        for (partition, span) in self.chunks.iter().flat_map(|chunk| &chunk.spans) {
            all.entry(*partition).or_default().push(*span);
        }
        for spans in all.values_mut() {
            spans.sort_unstable_by_key(|span| span.first);
            spans.dedup_by(|later, kept| {
                let near = later.first - kept.last <= READ_OVER;
                if near {
                    kept.last = kept.last.max(later.last);
                }
                near
            });
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(id: u64, spans: &[(i32, i64, i64)]) -> FoldedChunk {
        let span = |&(partition, first, last)| ((0, partition), Span { first, last });
        FoldedChunk {
            id: ChunkId(id),
            bytes: 0,
            oldest: None,
            spans: spans.iter().map(span).collect(),
        }
    }

    #[test]
    fn spans_near_each_other_are_read_as_one_and_distant_ones_apart() {
        let mut provenance = Provenance::default();
        provenance.chunks.push(chunk(1, &[(0, 100, 200), (1, 7, 7)]));
        provenance.chunks.push(chunk(2, &[(0, 50, 120)]));
        provenance.chunks.push(chunk(3, &[(0, 201, 300), (0, 90_000, 90_001)]));
        let spans = provenance.spans();
        let span = |first, last| Span { first, last };
        assert_eq!(spans[&(0, 0)], [span(50, 300), span(90_000, 90_001)]);
        assert_eq!(spans[&(0, 1)], [span(7, 7)]);
    }
}
