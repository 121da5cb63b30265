//! What an archive holds: every segment, in the order of offsets.

use std::collections::BTreeMap;

use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, path::Path};
use recap_log::Partition;
use serde::{Deserialize, Serialize};

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

    /// The offsets of a partition that the archive holds without a gap: from where, to before where.
    #[must_use]
    pub fn coverage(&self, partition: &Partition) -> Option<(i64, i64)> {
        let mut segments = self.segments(partition).iter();
        let first = segments.next()?;
        let mut next = first.next_offset;
        for segment in segments {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first_offset: i64, next_offset: i64) -> Segment {
        Segment {
            path: String::new(),
            first_offset,
            next_offset,
            records: 1,
            bytes: 1,
            blake3: String::new(),
        }
    }

    #[test]
    fn coverage_ends_at_the_first_gap() {
        let partition = Partition::new("t", 3);
        let mut manifest = Manifest::default();
        assert_eq!(manifest.coverage(&partition), None);
        for (first, next) in [(5, 10), (10, 20), (18, 25), (30, 40)] {
            manifest.push(&partition, segment(first, next));
        }
        assert_eq!(manifest.coverage(&partition), Some((5, 25)));
        assert_eq!(manifest.coverage(&Partition::new("t", 4)), None);
    }
}
