//! Where to begin to read a partition: a pure decision.

use recap_log::Extent;
use recap_store::ProjectedOffset;
use uuid::Uuid;

/// What is known of a partition before it is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// What the brokers hold; `None` when there is no such partition now.
    pub extent: Option<Extent>,
    /// What the database holds.
    pub projected: Option<&'a ProjectedOffset>,
    /// What the group has committed.
    pub committed: Option<i64>,
    /// Without a word of the database, it holds what the group has committed.
    pub adopts: bool,
}

impl Known<'_> {
    /// The id of the topic that is read, as far as anybody knows it.
    pub fn topic_id(&self) -> Option<Uuid> {
        let seen = self.extent.and_then(|extent| extent.topic_id);
        seen.or_else(|| self.projected?.topic_id)
    }
}

/// Where to begin, and what that means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Start {
    /// The first offset to read.
    pub offset: i64,
    /// The topic was deleted and created anew: everything in it is new.
    pub is_recreated: bool,
    /// The group had committed this, and the database lacks what is before it.
    pub behind: Option<i64>,
    /// The log ends before this offset, which was read once: brokers lost records.
    pub cut_off: Option<i64>,
    /// The first of the offsets that are gone from the log unread, up to `offset`.
    pub lost_from: Option<i64>,
}

impl Start {
    /// Records that are read again because the database lacks them.
    pub fn rewound(&self) -> u64 {
        self.behind.map_or(0, |committed| distance(self.offset, committed))
    }

    /// Whether brokers had reason to refuse the offset that was read from.
    pub fn explains_a_stop(&self) -> bool {
        self.is_recreated || self.cut_off.is_some() || self.lost_from.is_some()
    }

    /// Offsets that are gone from the log unread.
    pub fn lost(&self) -> u64 {
        self.lost_from.map_or(0, |from| distance(from, self.offset))
    }
}

fn distance(from: i64, to: i64) -> u64 {
    u64::try_from(to - from).unwrap_or(0)
}

/// The lesser of what the database holds and what the group has committed, within what the brokers hold.
pub(super) fn start(known: &Known<'_>) -> Start {
    let Known {
        extent,
        projected,
        committed,
        adopts,
    } = *known;
    let Some(Extent { topic_id, low, high }) = extent else {
        let lesser = projected
            .map_or(0, |projected| projected.next_offset)
            .min(committed.unwrap_or(0));
        return Start {
            offset: lesser,
            ..Start::default()
        };
    };
    let lost_from = |first: i64| (first < low).then_some(first);
    let differs = |projected: &ProjectedOffset| {
        projected.topic_id.is_some() && topic_id.is_some_and(|id| projected.topic_id != Some(id))
    };
    if projected.is_some_and(differs) {
        // What was committed may be of the old topic.
        return Start {
            offset: low,
            is_recreated: true,
            lost_from: lost_from(0),
            ..Start::default()
        };
    }
    let held = match projected {
        Some(projected) => projected.next_offset,
        None if adopts => committed.unwrap_or(0),
        None => 0,
    };
    let lesser = held.min(committed.unwrap_or(0));
    if lesser > high {
        return Start {
            offset: low,
            cut_off: Some(lesser),
            ..Start::default()
        };
    }
    Start {
        offset: lesser.max(low),
        behind: committed.filter(|committed| held < *committed),
        // What the database holds needs no reading.
        lost_from: lost_from(held),
        ..Start::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Option<Uuid> = Some(Uuid::from_u128(1));
    const NEW: Option<Uuid> = Some(Uuid::from_u128(2));

    fn projected(topic_id: Option<Uuid>, next_offset: i64) -> ProjectedOffset {
        ProjectedOffset {
            topic: "t".to_owned(),
            partition: 0,
            topic_id,
            next_offset,
        }
    }

    /// Of a partition of the topic `OLD` that holds `low..high`.
    fn begin(low: i64, high: i64, projected: Option<&ProjectedOffset>, committed: Option<i64>) -> Start {
        let extent = Some(Extent {
            topic_id: OLD,
            low,
            high,
        });
        start(&Known {
            extent,
            projected,
            committed,
            adopts: false,
        })
    }

    fn at(offset: i64) -> Start {
        Start {
            offset,
            ..Start::default()
        }
    }

    #[test]
    fn the_lesser_of_the_two_is_read_from_and_only_a_database_behind_the_group_is_reported() {
        assert_eq!(begin(0, 90, Some(&projected(OLD, 60)), Some(60)), at(60));
        assert_eq!(begin(0, 90, Some(&projected(OLD, 60)), Some(50)), at(50));
        let restored = begin(0, 90, Some(&projected(OLD, 30)), Some(60));
        assert_eq!((restored.offset, restored.rewound(), restored.lost()), (30, 30, 0));
        let empty = begin(0, 90, None, Some(60));
        assert_eq!((empty.offset, empty.rewound(), empty.lost()), (0, 60, 0));
        assert_eq!(
            begin(0, 90, Some(&projected(OLD, 60)), None),
            at(0),
            "a new group reads all there is"
        );
    }

    #[test]
    fn what_the_log_dropped_is_lost_unless_the_database_holds_it() {
        assert_eq!(begin(0, 0, None, None), at(0));
        assert_eq!(
            begin(40, 90, None, None).lost(),
            40,
            "a new group finds the log already cut"
        );
        assert_eq!(
            begin(40, 90, Some(&projected(OLD, 60)), None),
            at(40),
            "all of it was read"
        );
        let cut = begin(40, 90, Some(&projected(OLD, 30)), Some(30));
        assert_eq!((cut.offset, cut.lost(), cut.rewound()), (40, 10, 0));
        let restored = begin(40, 90, Some(&projected(OLD, 30)), Some(60));
        assert_eq!((restored.offset, restored.lost(), restored.rewound()), (40, 10, 20));
    }

    #[test]
    fn a_topic_created_anew_is_read_from_its_beginning() {
        let recreated = begin(0, 90, Some(&projected(NEW, 30)), Some(30));
        assert_eq!(
            recreated,
            Start {
                is_recreated: true,
                ..at(0)
            }
        );
        assert_eq!(begin(5, 90, Some(&projected(NEW, 30)), Some(30)).lost(), 5);
        assert_eq!(
            begin(0, 90, Some(&projected(None, 30)), Some(30)),
            at(30),
            "ids were not known yet"
        );
    }

    #[test]
    fn a_log_that_ends_before_the_position_is_read_from_its_beginning() {
        let shorter = begin(0, 20, Some(&projected(OLD, 30)), Some(30));
        assert_eq!((shorter.offset, shorter.cut_off, shorter.lost()), (0, Some(30), 0));
    }

    #[test]
    fn a_database_of_an_older_release_takes_over_what_the_group_has_committed() {
        let known = Known {
            extent: Some(Extent {
                topic_id: OLD,
                low: 10,
                high: 90,
            }),
            committed: Some(60),
            adopts: true,
            projected: None,
        };
        assert_eq!(start(&known), at(60));
        let without = Known { extent: None, ..known };
        assert_eq!(start(&without), at(0), "a topic that is not there has nothing to lose");
    }
}
