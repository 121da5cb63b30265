//! Archive to replay: segments fetched whole, checked, and handed out record by record.

use std::{
    io::{BufRead as _, BufReader},
    sync::Arc,
};

use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use recap_log::Partition;

use super::{ArchiveError, ArchivedRecord, Manifest, Segment};

/// Reads an archive.
pub struct ArchiveReader {
    store: Arc<dyn ObjectStore>,
    manifest: Manifest,
}

impl ArchiveReader {
    /// Opens an archive by its manifest.
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self, ArchiveError> {
        let manifest = Manifest::load(&*store).await?;
        Ok(Self { store, manifest })
    }

    /// What the archive holds.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Fetches a segment and proves it by the manifest's checksum.
    pub async fn fetch(&self, segment: &Segment) -> Result<FetchedSegment, ArchiveError> {
        let path = Path::from(segment.path.as_str());
        let object = self
            .store
            .get(&path)
            .await
            .map_err(ArchiveError::store("read", &path))?
            .bytes()
            .await
            .map_err(ArchiveError::store("read", &path))?;
        if blake3::hash(&object).to_hex().as_str() != segment.blake3 {
            return Err(ArchiveError::damaged(&path, "its checksum is not the manifest's"));
        }
        Ok(FetchedSegment {
            path: path.to_string(),
            object: object.to_vec(),
        })
    }

    /// Every partition with its segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = (Partition, &Segment)> {
        self.manifest.partitions().flat_map(move |partition| {
            self.manifest
                .segments(&partition)
                .iter()
                .map(move |segment| (partition.clone(), segment))
        })
    }
}

/// A segment's object, checked and still compressed.
pub struct FetchedSegment {
    path: String,
    object: Vec<u8>,
}

impl FetchedSegment {
    /// Decompresses and hands out the records in order; blocking.
    pub fn for_each(&self, mut visit: impl FnMut(&ArchivedRecord<'_>)) -> Result<(), ArchiveError> {
        let damaged = |error: &dyn std::fmt::Display| ArchiveError::damaged(&self.path, &error.to_string());
        let decoder = zstd::Decoder::new(self.object.as_slice()).map_err(|e| damaged(&e))?;
        let mut lines = BufReader::new(decoder);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(|e| damaged(&e))? > 0 {
            visit(&serde_json::from_slice(&line).map_err(|e| damaged(&e))?);
            line.clear();
        }
        Ok(())
    }
}
