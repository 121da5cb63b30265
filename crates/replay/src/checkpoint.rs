//! The offsets that the database keeps of a generation: before them it is complete.
//!
//! - Of the one being built, the last checkpoint: an interrupted build goes on from there.
//! - Of the one just switched to, until the rebuild has read past the switch: a projector starts no later than that, so
//!   nothing is missing even if the rebuild dies in between.
//! - Of one kept for a rollback, what the live group had committed before the switch.
//!
//! Replaying from anywhere before such an offset is harmless, since merging is idempotent. An offset is one of the topic with its id: of a topic that
//! was deleted and created anew since, everything is to be read.

use std::collections::BTreeMap;

use recap_log::{Offsets, Partition, TopicIds};
use recap_store::{GenerationId, GenerationOffset, ProjectedOffset, Store};
use uuid::Uuid;

use crate::ReplayError;

/// How far a generation is complete.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checkpoint(BTreeMap<Partition, Mark>);

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    next_offset: i64,
    topic_id: Option<Uuid>,
    gone: i64,
    /// What the live generation has read, of the topic with that id.
    projected: Option<(Uuid, i64)>,
}

impl Mark {
    /// Whether the topic is another one now.
    fn is_of_another(&self, now: Uuid) -> bool {
        self.topic_id.is_some_and(|id| id != now)
    }

    /// Offsets that the live generation has read behind this mark, of topics that are deleted.
    fn gone(&self, now: Uuid) -> i64 {
        let unnoticed = match self.projected {
            Some((id, next)) if Some(id) == self.topic_id => (next - self.next_offset).max(0),
            Some((id, next)) if id != now => next,
            _ => 0,
        };
        self.gone + unnoticed
    }
}

impl Checkpoint {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where to go on; partitions of topics that are others now are left out.
    pub(crate) fn offsets(&self, now: &TopicIds) -> Offsets {
        self.0
            .iter()
            .filter(|(partition, _)| !self.is_of_another_topic(partition, now))
            .map(|(partition, mark)| (partition.clone(), mark.next_offset))
            .collect()
    }

    /// Whether the topic was deleted and created anew since.
    fn is_of_another_topic(&self, partition: &Partition, now: &TopicIds) -> bool {
        let (mark, now) = (self.0.get(partition), now.get(&partition.topic));
        mark.zip(now).is_some_and(|(mark, now)| mark.is_of_another(*now))
    }

    /// Offsets that the live generation has read since, from where to before where, of topics that were deleted and created anew; with the id of
    /// the one that the checkpoint is of.
    pub(crate) fn gone_with_topics(&self, now: &TopicIds) -> impl Iterator<Item = (&Partition, Uuid, i64, i64)> {
        self.0.iter().filter_map(|(partition, mark)| {
            let (id, now) = (mark.topic_id?, *now.get(&partition.topic)?);
            let gone = if mark.is_of_another(now) { mark.gone(now) } else { 0 };
            (gone > 0).then_some((partition, id, mark.next_offset, mark.next_offset + gone))
        })
    }
}

/// The checkpoint of a generation; empty without one.
pub(crate) async fn load(store: &Store, generation: GenerationId) -> Result<Checkpoint, ReplayError> {
    let stored = store.generation_offsets(generation).await?;
    if stored.is_empty() {
        return Ok(Checkpoint::default());
    }
    let projected: BTreeMap<Partition, (Uuid, i64)> = store
        .holdings()
        .await?
        .offsets
        .into_iter()
        .filter_map(|held| Some((partition_of(&held), (held.topic_id?, held.next_offset))))
        .collect();
    let marks = stored.into_iter().map(|offset| {
        let partition = Partition::new(offset.topic, offset.partition);
        let mark = Mark {
            next_offset: offset.next_offset,
            topic_id: offset.topic_id,
            gone: offset.gone,
            projected: projected.get(&partition).copied(),
        };
        (partition, mark)
    });
    Ok(Checkpoint(marks.collect()))
}

fn partition_of(held: &ProjectedOffset) -> Partition {
    Partition::new(held.topic.as_str(), held.partition)
}

/// What the live group has committed, as a checkpoint of the generation that it has filled.
pub(crate) async fn of_live_group(
    store: &Store,
    committed: &Offsets,
    ids: &TopicIds,
) -> Result<Vec<GenerationOffset>, ReplayError> {
    let holdings = store.holdings().await?;
    let mut checkpoint = stored(committed, ids);
    for offset in &mut checkpoint {
        // A topic may have been created anew just now, and not been noticed yet.
        let held = holdings
            .offsets
            .iter()
            .find(|held| held.topic == offset.topic && held.partition == offset.partition);
        offset.topic_id = held.and_then(|held| held.topic_id).or(offset.topic_id);
    }
    Ok(checkpoint)
}

/// The form that the database keeps.
pub(crate) fn stored(offsets: &Offsets, ids: &TopicIds) -> Vec<GenerationOffset> {
    let stored = offsets.iter().map(|(partition, next_offset)| GenerationOffset {
        topic: partition.topic.to_string(),
        partition: partition.number,
        next_offset,
        topic_id: ids.get(&partition.topic).copied(),
        gone: 0,
    });
    stored.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Uuid = Uuid::from_u128(1);
    const BETWEEN: Uuid = Uuid::from_u128(2);
    const NEW: Uuid = Uuid::from_u128(3);

    fn checkpoint(topic_id: Option<Uuid>, gone: i64, projected: Option<(Uuid, i64)>) -> Checkpoint {
        let mark = Mark {
            next_offset: 60,
            topic_id,
            gone,
            projected,
        };
        Checkpoint(BTreeMap::from([(Partition::new("t", 0), mark)]))
    }

    fn topic(id: Uuid) -> TopicIds {
        TopicIds::from([("t".into(), id)])
    }

    fn gone(checkpoint: &Checkpoint, now: Uuid) -> Option<(i64, i64)> {
        let now = topic(now);
        let mut gone = checkpoint.gone_with_topics(&now);
        gone.next().map(|(_, _, from, to)| (from, to))
    }

    #[test]
    fn of_the_same_topic_it_goes_on_and_of_another_it_begins_anew() {
        let of_old = checkpoint(Some(OLD), 0, Some((OLD, 90)));
        let partition = Partition::new("t", 0);
        assert_eq!(of_old.offsets(&topic(OLD)).find(&partition), Some(60));
        assert_eq!(of_old.offsets(&topic(NEW)).find(&partition), None);
        let without_id = checkpoint(None, 0, Some((NEW, 90)));
        assert_eq!(
            without_id.offsets(&topic(NEW)).find(&partition),
            Some(60),
            "0.1 kept no ids"
        );
        assert_eq!(
            of_old.offsets(&TopicIds::new()).find(&partition),
            Some(60),
            "no ids are told"
        );
    }

    #[test]
    fn what_the_live_generation_has_read_of_a_deleted_topic_is_gone() {
        assert_eq!(
            gone(&checkpoint(Some(OLD), 0, Some((OLD, 90))), OLD),
            None,
            "it is still there"
        );
        assert_eq!(
            gone(&checkpoint(Some(OLD), 0, Some((OLD, 90))), NEW),
            Some((60, 90)),
            "no projector has noticed yet"
        );
        assert_eq!(
            gone(&checkpoint(Some(OLD), 0, Some((OLD, 60))), NEW),
            None,
            "nothing was read since"
        );
        assert_eq!(gone(&checkpoint(Some(OLD), 0, Some((NEW, 20))), NEW), None);
        assert_eq!(gone(&checkpoint(Some(OLD), 30, Some((NEW, 20))), NEW), Some((60, 90)));
        assert_eq!(
            gone(&checkpoint(Some(OLD), 30, Some((BETWEEN, 20))), NEW),
            Some((60, 110)),
            "and of one in between"
        );
        assert_eq!(gone(&checkpoint(None, 0, Some((OLD, 90))), NEW), None);
    }
}
