//! Whether archive and log together still hold every record.

use recap_log::{Log, OffsetLookup};

use crate::{ReplayError, Uncovered, archive::ArchiveReader};

/// Refuses unless every partition is whole from offset 0 on.
pub(super) async fn check(log: &Log, archive: Option<&ArchiveReader>) -> Result<(), ReplayError> {
    let log = log.clone();
    let oldest = tokio::task::spawn_blocking(move || OffsetLookup::open(&log)?.oldest()).await??;
    let uncovered: Vec<Uncovered> = oldest
        .iter()
        .filter_map(|(partition, oldest)| {
            let archived = archive.and_then(|archive| archive.manifest().coverage(partition));
            gap(oldest, archived).map(|(from, to)| Uncovered {
                partition: partition.clone(),
                from,
                to,
            })
        })
        .collect();
    if uncovered.is_empty() {
        Ok(())
    } else {
        Err(ReplayError::LogIncomplete(uncovered))
    }
}

/// The first run of offsets that neither the log nor the archive holds.
fn gap(oldest: i64, archived: Option<(i64, i64)>) -> Option<(i64, i64)> {
    if oldest == 0 {
        return None;
    }
    match archived {
        None => Some((0, oldest)),
        Some((first, _)) if first > 0 => Some((0, first)),
        Some((_, next)) if next < oldest => Some((next, oldest)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_what_neither_log_nor_archive_holds() {
        assert_eq!(gap(0, None), None);
        assert_eq!(gap(10, None), Some((0, 10)));
        assert_eq!(gap(10, Some((0, 10))), None);
        assert_eq!(gap(10, Some((0, 50))), None);
        assert_eq!(gap(10, Some((0, 9))), Some((9, 10)));
        assert_eq!(gap(10, Some((4, 50))), Some((0, 4)));
    }
}
