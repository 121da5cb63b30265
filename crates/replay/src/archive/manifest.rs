//! What an archive holds: every segment, in the order of offsets.

use std::collections::BTreeMap;

use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, path::Path};
use recap_log::Partition;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ArchiveError;

/// Its name below the archive's root.
pub const MANIFEST: &str = "manifest.json";
const VERSION: u32 = 1;

/// The table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// Per topic and partition number, the segments by first offset.
    topics: BTreeMap<String, BTreeMap<i32, Vec<Segment>>>,
}

/// A run of records of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// The object's path below the archive's root.
    pub path: String,
    /// The segment covers offsets from here …
    pub first_offset: i64,
    /// … to before here.
    pub next_offset: i64,
    /// Records in it; fewer than offsets where the log had markers.
    pub records: u64,
    /// Size of the object in bytes.
    pub bytes: u64,
    /// BLAKE3 of the object, hexadecimal.
    pub blake3: String,
    /// The topic's id: one that was deleted and created anew has another. Absent where the broker has no ids, and in what was archived before recap kept them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<Uuid>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            version: VERSION,
            topics: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// Reads the manifest; an archive that does not exist yet is an empty one.
    pub async fn load(store: &dyn ObjectStore) -> Result<Self, ArchiveError> {
        let path = Path::from(MANIFEST);
        let bytes = match store.get(&path).await {
            Ok(object) => object.bytes().await.map_err(ArchiveError::store("read", &path))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(Self::default()),
            Err(source) => return Err(ArchiveError::store("read", &path)(source)),
        };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| ArchiveError::damaged(MANIFEST, &error))?;
        if manifest.version > VERSION {
            return Err(ArchiveError::damaged(
                MANIFEST,
                &format!(
                    "it has version {}, this release reads up to {VERSION}",
                    manifest.version
                ),
            ));
        }
        Ok(manifest)
    }

    /// Replaces the stored manifest, atomically.
    pub async fn save(&self, store: &dyn ObjectStore) -> Result<(), ArchiveError> {
        let path = Path::from(MANIFEST);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| ArchiveError::damaged(MANIFEST, &error))?;
        store
            .put(&path, PutPayload::from(bytes))
            .await
            .map_err(ArchiveError::store("write", &path))?;
        Ok(())
    }

    /// Adds a segment behind the others of its partition.
    pub fn push(&mut self, partition: &Partition, segment: Segment) {
        self.topics
            .entry(partition.topic.to_string())
            .or_default()
            .entry(partition.number)
            .or_default()
            .push(segment);
    }

    /// The segments of a partition by first offset.
    #[must_use]
    pub fn segments(&self, partition: &Partition) -> &[Segment] {
        self.topics
            .get(&*partition.topic)
            .and_then(|partitions| partitions.get(&partition.number))
            .map_or(&[], Vec::as_slice)
    }

    /// Every partition that has a segment.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> {
        self.topics
            .iter()
            .flat_map(|(topic, partitions)| partitions.keys().map(|number| Partition::new(topic.as_str(), *number)))
    }

    /// The offsets of a partition that the archive holds without a gap, of the topic with that id: from where, to before where. Without an id,
    /// of any topic of that name.
    #[must_use]
    pub fn coverage(&self, partition: &Partition, topic_id: Option<Uuid>) -> Option<(i64, i64)> {
        let segments = self.segments(partition);
        let mut of_topic = segments
            .iter()
            .zip(topics(segments))
            .filter(|(_, id)| topic_id.is_none() || id.is_none() || *id == topic_id)
            .map(|(segment, _)| segment);
        let first = of_topic.next()?;
        let mut next = first.next_offset;
        for segment in of_topic {
            if segment.first_offset > next {
                break;
            }
            next = next.max(segment.next_offset);
        }
        Some((first.first_offset, next))
    }

    /// Records in all segments.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.topics
            .values()
            .flat_map(BTreeMap::values)
            .flatten()
            .map(|segment| segment.records)
            .sum()
    }
}

/// The topic that each segment is of: one without an id is of the topic of the next that has one.
fn topics(segments: &[Segment]) -> Vec<Option<Uuid>> {
    let mut next = None;
    let backwards = segments.iter().rev().map(|segment| {
        next = segment.topic_id.or(next);
        next
    });
    let mut topics: Vec<_> = backwards.collect();
    topics.reverse();
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Uuid = Uuid::from_u128(1);
    const NEW: Uuid = Uuid::from_u128(2);

    fn segment(first_offset: i64, next_offset: i64) -> Segment {
        Segment {
            path: String::new(),
            first_offset,
            next_offset,
            records: 1,
            bytes: 1,
            blake3: String::new(),
            topic_id: None,
        }
    }

    fn of_topic(topic_id: Uuid, first_offset: i64, next_offset: i64) -> Segment {
        Segment {
            topic_id: Some(topic_id),
            ..segment(first_offset, next_offset)
        }
    }

    #[test]
    fn coverage_ends_at_the_first_gap() {
        let partition = Partition::new("t", 3);
        let mut manifest = Manifest::default();
        assert_eq!(manifest.coverage(&partition, None), None);
        for (first, next) in [(5, 10), (10, 20), (18, 25), (30, 40)] {
            manifest.push(&partition, segment(first, next));
        }
        assert_eq!(manifest.coverage(&partition, None), Some((5, 25)));
        assert_eq!(manifest.coverage(&partition, Some(NEW)), Some((5, 25)));
        assert_eq!(manifest.coverage(&Partition::new("t", 4), None), None);
    }

    #[test]
    fn a_topic_created_anew_is_not_covered_by_the_one_before() {
        let partition = Partition::new("t", 0);
        let mut manifest = Manifest::default();
        manifest.push(&partition, segment(0, 10));
        manifest.push(&partition, of_topic(OLD, 10, 50));
        assert_eq!(manifest.coverage(&partition, Some(OLD)), Some((0, 50)));
        assert_eq!(manifest.coverage(&partition, Some(NEW)), None);
        manifest.push(&partition, of_topic(NEW, 3, 20));
        assert_eq!(manifest.coverage(&partition, Some(OLD)), Some((0, 50)));
        assert_eq!(manifest.coverage(&partition, Some(NEW)), Some((3, 20)));
    }

    #[test]
    fn a_segment_of_an_earlier_release_is_read() -> Result<(), serde_json::Error> {
        let line = r#"{"path":"t/0/0","firstOffset":0,"nextOffset":1,"records":1,"bytes":1,"blake3":""}"#;
        assert_eq!(serde_json::from_str::<Segment>(line)?.topic_id, None);
        Ok(())
    }
}
