//! Whether archive and log together still hold every record.

use recap_log::{Log, OffsetLookup, Offsets};

use crate::{ReplayError, Uncovered, archive::ArchiveReader};

/// Refuses unless archive and log together hold every record from these offsets on.
pub(crate) async fn check(log: &Log, from: &Offsets, archive: Option<&ArchiveReader>) -> Result<(), ReplayError> {
    let uncovered: Vec<Uncovered> = oldest(log)
        .await?
        .iter()
        .filter_map(|(partition, oldest)| {
            let archived = archive.and_then(|archive| archive.manifest().coverage(partition));
            gap(from.get(partition), oldest, archived).map(|(from, to)| Uncovered {
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

/// Whether the log alone holds every record from these offsets on.
pub(crate) async fn is_whole(log: &Log, from: &Offsets) -> Result<bool, ReplayError> {
    let oldest = oldest(log).await?;
    let mut partitions = oldest.iter();
    Ok(partitions.all(|(partition, oldest)| oldest <= from.get(partition)))
}

async fn oldest(log: &Log) -> Result<Offsets, ReplayError> {
    let log = log.clone();
    Ok(tokio::task::spawn_blocking(move || OffsetLookup::open(&log)?.oldest()).await??)
}

/// The first run of offsets from `from` on that neither the log nor the archive holds.
fn gap(from: i64, oldest: i64, archived: Option<(i64, i64)>) -> Option<(i64, i64)> {
    if oldest <= from {
        return None;
    }
    match archived {
        None => Some((from, oldest)),
        Some((first, _)) if first > from => Some((from, first.min(oldest))),
        Some((_, next)) if next < oldest => Some((next.max(from), oldest)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_what_neither_log_nor_archive_holds() {
        assert_eq!(gap(0, 0, None), None);
        assert_eq!(gap(0, 10, None), Some((0, 10)));
        assert_eq!(gap(0, 10, Some((0, 10))), None);
        assert_eq!(gap(0, 10, Some((0, 50))), None);
        assert_eq!(gap(0, 10, Some((0, 9))), Some((9, 10)));
        assert_eq!(gap(0, 10, Some((4, 50))), Some((0, 4)));
    }

    #[test]
    fn what_lies_before_the_start_need_not_be_there() {
        assert_eq!(gap(10, 10, None), None);
        assert_eq!(gap(7, 10, None), Some((7, 10)));
        assert_eq!(gap(7, 10, Some((0, 5))), Some((7, 10)));
        assert_eq!(gap(7, 10, Some((0, 8))), Some((8, 10)));
        assert_eq!(gap(7, 10, Some((20, 30))), Some((7, 10)));
        assert_eq!(gap(7, 10, Some((7, 10))), None);
    }
}
