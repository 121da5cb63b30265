//! Whether archive and log together still hold every record.

use recap_log::{Log, OffsetLookup, Offsets, TopicIds};

use crate::{ReplayError, Uncovered, archive::ArchiveReader, checkpoint::Checkpoint};

/// Refuses unless archive and log together hold every record from a checkpoint on. Returns whether the log alone does.
pub(crate) async fn check(log: &Log, from: &Checkpoint, archive: Option<&ArchiveReader>) -> Result<bool, ReplayError> {
    let (oldest, ids) = look(log).await?;
    let without_archive = uncovered(from, &oldest, &ids, None);
    if without_archive.is_empty() {
        return Ok(true);
    }
    let uncovered = match archive {
        Some(_) => uncovered(from, &oldest, &ids, archive),
        None => without_archive,
    };
    if uncovered.is_empty() {
        Ok(false)
    } else {
        Err(ReplayError::LogIncomplete(uncovered))
    }
}

fn uncovered(from: &Checkpoint, oldest: &Offsets, ids: &TopicIds, archive: Option<&ArchiveReader>) -> Vec<Uncovered> {
    let archived = |partition, topic_id| archive.and_then(|archive| archive.manifest().coverage(partition, topic_id));
    let offsets = from.offsets(ids);
    let removed = oldest.iter().filter_map(|(partition, oldest)| {
        let archived = archived(partition, ids.get(&partition.topic).copied());
        let (from, to) = gap(offsets.get(partition), oldest, archived)?;
        Some((partition, from, to, false))
    });
    let gone = from
        .gone_with_topics(ids)
        .filter_map(|(partition, topic_id, from, to)| {
            let (from, to) = gap(from, to, archived(partition, Some(topic_id)))?;
            Some((partition, from, to, true))
        });
    gone.chain(removed)
        .map(|(partition, from, to, with_topic)| Uncovered {
            partition: partition.clone(),
            from,
            to,
            with_topic,
        })
        .collect()
}

async fn look(log: &Log) -> Result<(Offsets, TopicIds), ReplayError> {
    let log = log.clone();
    let looking = tokio::task::spawn_blocking(move || {
        let lookup = OffsetLookup::open(&log)?;
        Ok::<_, recap_log::LogError>((lookup.oldest()?, lookup.ids()?))
    });
    Ok(looking.await??)
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
